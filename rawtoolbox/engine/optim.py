"""Mixed precision that works on CPUs too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper

from rawtoolbox.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """An optimiser wrapper that runs the forward pass in bfloat16 on whatever device the model is on.

    bfloat16 has float32's range, so that no loss scaling is needed; mmengine's own AMP wrapper refuses CPUs.

    Args:
        dtype: ``'bfloat16'``, or ``'float32'`` for none.
        **kwargs: As for ``OptimWrapper``.

    Raises:
        ValueError: Another dtype; float16 would need loss scaling.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs: Any) -> None:
        if dtype not in ('bfloat16', 'float32'):
            raise ValueError(f"AutocastOptimWrapper takes 'bfloat16' or 'float32', got {dtype!r}.")
        super().__init__(**kwargs)
        self.dtype = getattr(torch, dtype)

    @contextlib.contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        enabled = self.dtype != torch.float32
        with super().optim_context(model), torch.autocast(device, self.dtype, enabled=enabled):
            yield
