"""Directional demosaicking: for frames of hardly any noise."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.ops.bayer import bayer_mosaic, check_mosaic

AVERAGE = (0.5, 0.0, 0.5)
LOW_PASS = (1 / 3, 1 / 3, 1 / 3)
GREEN = (-0.25, 0.5, 0.5, 0.5, -0.25)
DECISION = ((0, 0, 1, 0, 1), (0, 0, 0, 1, 0), (0, 0, 3, 0, 3), (0, 0, 0, 1, 0), (0, 0, 1, 0, 1))


def demosaic_directional(mosaic: Tensor) -> Tensor:
    """Directional filtering with a posteriori decision (Menon et al., IEEE TIP 16(1), 2007, with refinement).

    Args:
        mosaic: RGGB, (N, 1, H, W), floating point, gamma-encoded or linear; H and W even, at least 6.

    Returns:
        RGB, (N, 3, H, W).

    Raises:
        ValueError: Wrong shape or odd size.
    """
    check_mosaic(mosaic)
    red, green_site, blue = _sites(mosaic)
    candidates = [torch.where(green_site, mosaic, _filter(mosaic, GREEN, axis)) for axis in (3, 2)]
    across = _is_across(mosaic, candidates)
    green = torch.where(across, *candidates)
    colours = {}
    for name, own in (('red', red), ('blue', blue)):
        difference = torch.where(own, mosaic - green, 0)
        row = own.any(dim=3, keepdim=True)
        beside = torch.where(row, _filter(difference, AVERAGE, 3), _filter(difference, AVERAGE, 2))
        colours[name] = torch.where(green_site, green + beside, torch.where(own, mosaic, 0))
    colours = _at_opposite(colours, red, blue, across)
    return torch.cat(_refine(colours['red'], green, colours['blue'], (red, green_site, blue), across), 1)


def _sites(mosaic: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where red, green and blue are sampled, (1, 1, H, W) each."""
    ones = torch.eye(3, device=mosaic.device)[:, :, None, None].expand(3, 3, *mosaic.shape[-2:])
    red, green, blue = bayer_mosaic(ones).bool()[:, None]
    return red, green, blue


def _filter(image: Tensor, taps: tuple[float, ...], axis: int) -> Tensor:
    """A filter along columns (3) or rows (2), the image going on mirrored, which keeps the phase."""
    half = len(taps) // 2
    pad, shape = ((half, half, 0, 0), (1, 1, 1, -1)) if axis == 3 else ((0, 0, half, half), (1, 1, -1, 1))
    return F.conv2d(F.pad(image, pad, mode='reflect'), image.new_tensor(taps).view(shape))


def _is_across(mosaic: Tensor, candidates: list[Tensor]) -> Tensor:
    """Where colour differences change less along a row than along a column, (N, 1, H, W)."""
    kernel = mosaic.new_tensor(DECISION)[None, None]
    changes = []
    for green, axis, weights in zip(candidates, (3, 2), (kernel, kernel.mT), strict=True):
        difference = mosaic - green
        pad = (0, 2, 0, 0) if axis == 3 else (0, 0, 0, 2)
        change = (
            difference - F.pad(difference, pad, mode='reflect').narrow(axis, 2, mosaic.shape[axis])
        ).abs()
        changes.append(F.conv2d(F.pad(change, (2, 2, 2, 2), mode='reflect'), weights))
    return changes[1] >= changes[0]


def _along(image: Tensor, taps: tuple[float, ...], across: Tensor) -> Tensor:
    """A filter in the direction that was decided on."""
    return torch.where(across, _filter(image, taps, 3), _filter(image, taps, 2))


def _at_opposite(colours: dict[str, Tensor], red: Tensor, blue: Tensor, across: Tensor) -> dict[str, Tensor]:
    """Red at blue's sites and blue at red's, from their difference at the greens on both sides."""
    difference = _along(colours['red'] - colours['blue'], AVERAGE, across)
    return {
        'red': torch.where(blue, colours['blue'] + difference, colours['red']),
        'blue': torch.where(red, colours['red'] - difference, colours['blue']),
    }


def _refine(
    red: Tensor, green: Tensor, blue: Tensor, sites: tuple[Tensor, Tensor, Tensor], across: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Section IV: high frequencies of the sampled colour at each site are given to the others."""
    red_site, green_site, blue_site = sites
    for colour, site in ((red, red_site), (blue, blue_site)):
        green = torch.where(site, colour - _along(colour - green, LOW_PASS, across), green)
    refined = []
    for colour, site in ((red, red_site), (blue, blue_site)):
        row = site.any(dim=3, keepdim=True)
        difference = colour - green
        smooth = torch.where(row, _filter(difference, AVERAGE, 3), _filter(difference, AVERAGE, 2))
        refined.append(torch.where(green_site, green + smooth, colour))
    red, blue = refined
    difference = _along(red - blue, LOW_PASS, across)
    red, blue = torch.where(blue_site, blue + difference, red), torch.where(red_site, red - difference, blue)
    return red, green, blue
