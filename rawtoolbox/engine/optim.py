"""Mixed precision that works on CPUs too, and one optimiser for each side of an adversarial training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIMIZERS

from rawtoolbox.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS


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


class JointOptimWrapper(OptimWrapperDict):
    """Several optimisers that step after one backward pass through the sum of all losses.

    It asks of a model that no loss has a gradient in the parameters of another loss's optimiser. The usual
    training step then serves, with gradients synchronised between processes in one go.
    """

    @contextlib.contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for wrapper in self.values():
                stack.enter_context(wrapper.optim_context(model))
            yield

    def update_params(
        self,
        loss: torch.Tensor,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.zero_grad()
        loss.backward()
        for wrapper in self.values():
            wrapper.step(**(step_kwargs or {}))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GANOptimWrapperConstructor:
    """One optimiser for a model's ``discriminator`` and one for all its other parameters.

    Called with a model, which has a child ``discriminator`` and may be wrapped for distributed training.

    Args:
        optim_wrapper_cfg: Configs of optimiser wrappers named ``generator`` and ``discriminator``, in which
            gradients are not accumulated over steps.
        paramwise_cfg: Not used.

    Raises:
        ValueError: Other names, or gradients are to be accumulated.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        if set(optim_wrapper_cfg) != {'generator', 'discriminator'}:
            found = ', '.join(sorted(optim_wrapper_cfg))
            raise ValueError(f"optim_wrapper: expected 'generator' and 'discriminator', found {found}.")
        if any(cfg.get('accumulative_counts', 1) != 1 for cfg in optim_wrapper_cfg.values()):
            raise ValueError('optim_wrapper: accumulative_counts must be 1 with two optimisers.')
        self.configs = optim_wrapper_cfg

    def __call__(self, model: torch.nn.Module) -> JointOptimWrapper:
        model = model.module if is_model_wrapper(model) else model
        judge = getattr(model, 'discriminator', None)
        if judge is None:
            raise ValueError(f'optim_wrapper: {type(model).__name__} has no discriminator to train.')
        theirs = set(judge.parameters())
        parameters = {
            'generator': [p for p in model.parameters() if p.requires_grad and p not in theirs],
            'discriminator': list(judge.parameters()),
        }
        return JointOptimWrapper(**{name: _wrap(self.configs[name], p) for name, p in parameters.items()})


def _wrap(config: dict[str, Any], parameters: list[torch.nn.Parameter]) -> OptimWrapper:
    optimizer = OPTIMIZERS.build({**config['optimizer'], 'params': parameters})
    return OPTIM_WRAPPERS.build({'type': 'OptimWrapper', **config, 'optimizer': optimizer})
