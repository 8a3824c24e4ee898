"""What a network costs: multiply-accumulates and parameters, without running it."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


def count_macs(module: nn.Module, *inputs: Tensor) -> int:
    """Counts the multiply-accumulates of convolutions and matrix products in one forward pass.

    Runs on the meta device: in no time, without memory, and with the module left as it is. Half of what torch
    counts as floating-point operations; normalisation, activations and resampling are not counted, as is usual.

    Args:
        module: The network, on any device, the meta device included.
        *inputs: What ``forward`` takes; only shapes and types matter.

    Returns:
        Multiply-accumulates of the whole batch.

    >>> count_macs(nn.Conv2d(4, 64, 3, padding=1), torch.empty(1, 4, 224, 224, device='meta'))
    115605504
    """
    tensors = chain(module.named_parameters(), module.named_buffers())
    state = {name: torch.empty_like(tensor, device='meta') for name, tensor in tensors}
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        functional_call(module, state, tuple(torch.empty_like(x, device='meta') for x in inputs))
    return counter.get_total_flops() // 2


def count_parameters(module: nn.Module) -> int:
    """Counts the numbers that training can change."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
