"""Gradient checkpointing: activations are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def set_checkpointing(network: nn.Module, enable: bool = True) -> int:
    """Turns checkpointing on or off in all parts of a network that know it: those with ``checkpointing``.

    Returns:
        How many there are.

    Raises:
        ValueError: There are none.
    """
    parts = [part for part in network.modules() if hasattr(part, 'checkpointing')]
    if not parts:
        raise ValueError(
            f'checkpointing: {type(network).__name__} has no part that can be checkpointed (LiteISPNet and MWISPNet '
            'have). Leave it out, or train in smaller batches with accumulative_counts.'
        )
    for part in parts:
        part.checkpointing = enable
    return len(parts)


def run(function: Callable[[Tensor], Tensor], x: Tensor, checkpointing: bool) -> Tensor:
    """``function(x)``, of which only ``x`` is kept for the backward pass if asked for.

    The function must not draw random numbers: the generator's state is not kept, which would wait for the device.
    """
    if checkpointing and torch.is_grad_enabled():
        return checkpoint(function, x, use_reentrant=False, preserve_rng_state=False)
    return function(x)
