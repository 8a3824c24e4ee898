"""How far a network sees, measured."""

from __future__ import annotations

import torch
from torch import Tensor

from rawtoolbox.inference.tiles.plan import Network, round_up

PROBES = (128, 192, 288)  # sides of the inputs on which the receptive field is looked for


def receptive_field(
    network: Network,
    channels: int = 4,
    multiple: int = 1,
    scale: float = 2,
    tolerance: float = 0.5 / 255,
    device: torch.device | str = 'cpu',
) -> int:
    """Measures how far an input sample is seen.

    The derivative of the output by one sample of the input (all its channels together) is propagated forward,
    through which no activations have to be kept. Its absolute values are summed over the distance; the radius is
    that beyond which the sum is at most ``tolerance``. To first order, a pixel therefore changes by less than this
    when all that is farther away changes by as much as it can. The radius that the kernels allow is larger, often
    several times, and hardly any of it is used.

    Statistics over the whole input have to be frozen, or the field is unbounded.

    Args:
        network: Called as ``network(raw, coord)``.
        channels: Channels of the input.
        multiple: Of which its sides must be multiples.
        scale: Output samples per input sample.
        tolerance: What may be neglected, in units of the output.
        device: Where the network is.

    Returns:
        The radius, in input samples; at most half of the largest probe.
    """
    radius = 0
    for side in (round_up(probe, multiple) for probe in PROBES):
        profile = derivative_profile(network, channels, side, scale, device)
        beyond = profile.flip(0).cumsum(0).flip(0)  # [d]: of all that is at least d away
        radius = int((beyond > tolerance).sum())
        if radius < side // 2 - multiple:
            break
    return radius


def derivative_profile(
    network: Network, channels: int, side: int, scale: float = 2, device: torch.device | str = 'cpu'
) -> Tensor:
    """(side/2 + 1,): absolute derivatives by the distance (the larger of both axes') from one input sample."""
    generator = torch.Generator().manual_seed(0)
    raw = 0.2 + 0.1 * torch.rand(1, channels, side, side, generator=generator)
    change = torch.zeros_like(raw)
    centre = side // 2
    change[..., centre, centre] = 1
    coord = torch.zeros(1, 2, side, side, device=device)
    with torch.no_grad():
        _, derivative = torch.func.jvp(
            lambda x: network(x, coord).float(), (raw.to(device),), (change.to(device),)
        )
    size = derivative.abs().mean(1)[0].double().cpu()
    distance = ((torch.arange(size.shape[-1]) + 0.5) / scale - centre - 0.5).abs().floor().long()
    chebyshev = torch.maximum(distance[:, None], distance)
    return torch.zeros(centre + 1, dtype=torch.float64).index_add_(0, chebyshev.flatten(), size.flatten())
