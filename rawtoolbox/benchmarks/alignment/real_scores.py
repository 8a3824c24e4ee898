"""Scores of how an aligner did on a real pair, and of the two controls; no true displacement is needed."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.ops.colour import luminance
from rawtoolbox.ops.colour_fit import fit_colours
from rawtoolbox.ops.warp import backward_warp
from rawtoolbox.simulation.displacement import draw_homography, homography_flow, smooth_relief

BLOCK = 16  # pixels; blocks of a chequerboard, on one colour of which the fit is made
BINS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # pixels, upper ends of the histogram's bins; the last is open
DETAIL = 8  # standard deviation of the blur that detail is finer than, pixels


def agreement(source: Tensor, warped: Tensor, mask: Tensor, coord: Tensor) -> float:
    """PSNR in dB within the mask, the colours fitted on half of the blocks and judged on the other half; both ways.

    Args:
        source: Gamma-encoded raw, (1, 3, H, W) in [0, 1].
        warped: The aligned photo, (1, 3, H, W).
        mask: Where it is known, (1, 1, H, W).
        coord: Coordinates of the pixels, (1, 2, H, W).
    """
    y, x = (torch.arange(side) // BLOCK for side in source.shape[-2:])
    half = ((y[:, None] + x) % 2).to(mask)
    scores = []
    for fitted, judged in ((half, 1 - half), (1 - half, half)):
        mapped = fit_colours(source, warped, mask * fitted, coord)
        scores.append(psnr(mapped[0], warped[0].clamp(0, 1), mask[0] * judged, 'excluded'))
    return fmean(scores)


def likeness(source: Tensor, warped: Tensor, mask: Tensor) -> float:
    """Whether both show the same: correlation of fine detail of luma within the mask, -1 to 1."""
    detail = [_detail(luminance(image)) * mask for image in (source, warped)]
    first, second = (values - values.sum() / mask.sum().clamp(min=1) * mask for values in detail)
    energy = (first.square().sum() * second.square().sum()).sqrt()
    return ((first * second).sum() / energy.clamp(min=1e-9)).item()


def _detail(luma: Tensor) -> Tensor:
    """Luma of 2x2 pixels on average less its surroundings, over their deviation; (1, 1, H, W)."""

    def around(values: Tensor, width: int) -> Tensor:
        return F.avg_pool2d(values, width, 1, width // 2, count_include_pad=False)

    centred = around(luma, 3) - around(luma, 2 * DETAIL + 1)
    return centred / (around(centred.square(), 4 * DETAIL + 1).sqrt() + 0.3 * centred.std())


def known_shift(size: tuple[int, int], length: float, seed: int) -> Tensor:
    """A smooth field whose largest displacement is ``length`` pixels, (1, 2, H, W)."""
    rng = np.random.default_rng([seed, 13])
    relief = np.stack([smooth_relief(rng, size) for _ in range(2)])
    field = homography_flow(draw_homography(rng, size), size) + 0.5 * relief
    field *= length / np.hypot(*field).max()
    return torch.from_numpy(field.astype(np.float32))[None]


def shift_error(before: Tensor, after: Tensor, shift: Tensor) -> Tensor:
    """How far two flows miss the known shift that lies between their targets.

    The moved photo is ``moved(p) = photo(p + shift(p))``, so that ``before(p) = after(p) + shift(p + after(p))``.

    Args:
        before: Flow to the photo, (1, 2, H, W).
        after: Flow to the moved photo.
        shift: Known.

    Returns:
        Pixels, at the positions for which both photos are known, (P,).
    """
    there, coverage = backward_warp(shift, after)
    inside = backward_warp(torch.ones_like(shift[:, :1]), before)[1] * coverage > 0.999
    y, x = (torch.arange(side, dtype=shift.dtype) for side in shift.shape[-2:])
    origin = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))])[None] + after + there
    limits = torch.tensor([len(x) - 1, len(y) - 1]).view(1, 2, 1, 1)
    inside = inside & ((origin >= 0) & (origin <= limits)).all(1, keepdim=True)
    return (before - after - there).norm(dim=1)[inside[:, 0]]


def histogram(flow: Tensor) -> dict[str, float]:
    """Shares of the displacements up to each of ``BINS``, cumulative."""
    length = flow.norm(dim=1)
    return {f'below {edge:g} px': (length < edge).float().mean().item() for edge in BINS}


def separation(scores: Iterable[tuple[str, str, float]], threshold: float) -> dict[str, float]:
    """How well a score tells pairs of one scene from pairs of two.

    Args:
        scores: As :func:`wrong_scenes` gives them.
        threshold: Below it a pair is flagged.

    Returns:
        ``area`` under the ROC curve; ``flagged``: share of wrong scenes below the threshold; ``false_alarms``:
        share of right ones below it; ``flagged at 1%``: share of wrong scenes below the score that 1% of the
        right ones stay under.
    """
    scores = list(scores)
    right = np.array([score for raw, photo, score in scores if raw == photo])
    wrong = np.array([score for raw, photo, score in scores if raw != photo])
    return {
        'area': float((right[:, None] > wrong).mean()),
        'flagged': float((wrong < threshold).mean()),
        'false_alarms': float((right < threshold).mean()),
        'flagged at 1%': float((wrong < np.quantile(right, 0.01)).mean()),
    }
