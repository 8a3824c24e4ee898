"""What colour mappers make of whole frames: their likeness to the target, and the vignetting that they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from rawtoolbox.benchmarks.alignment.figure import illumination, illumination_ratio
from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.ops.colour import gamma_encode
from rawtoolbox.ops.colour_fit import fit_colours
from rawtoolbox.simulation.known_pairs import AlignmentPair

FITTED = 'fitted'


@torch.no_grad()
def colour_outputs(mappers: Mapping[str, nn.Module], pair: AlignmentPair) -> dict[str, Tensor]:
    """A pair's raw in the target's colours, by each mapper and by a fit to the target as it is not aligned.

    Returns:
        Images in [0, 1] by name, (1, 3, H, W).
    """
    encoded = gamma_encode(pair.source).clamp(max=1)
    outputs = {
        name: mapper.eval()(encoded, pair.target, pair.coord).clamp(0, 1) for name, mapper in mappers.items()
    }
    everywhere = torch.ones_like(encoded[:, :1])
    return {**outputs, FITTED: fit_colours(encoded, pair.target, everywhere, pair.coord)}


def corner_stops(image: Tensor, pair: AlignmentPair) -> float:
    """How many stops (log2) darker an image is in the frame's corners than in the centre, against the exact target.

    Scenes are darker here and brighter there, and tone curves differ: the ratio of illumination is therefore fitted
    by the squared distance from the centre beside a quadratic in the target's brightness.
    """
    ratio, brightness = illumination_ratio(image, pair.aligned), illumination(pair.aligned)
    height, width = ratio.shape
    y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in (height, width)), indexing='ij')
    terms = [(x**2 + y**2) / 2, np.ones_like(x), brightness, brightness**2]
    solution = np.linalg.lstsq(np.stack([term.ravel() for term in terms], 1), ratio.ravel(), rcond=None)[0]
    return -float(solution[0])


def illumination_table(mappers: Mapping[str, nn.Module], pairs: Sequence[AlignmentPair]) -> str:
    """PSNR against the exactly aligned target (Table 4's first column) and corner darkening, as means over pairs."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for pair in pairs:
        for name, image in {
            'raw': gamma_encode(pair.source).clamp(max=1),
            **colour_outputs(mappers, pair),
        }.items():
            scores.setdefault(name, []).append((psnr(image[0], pair.aligned[0]), corner_stops(image, pair)))
    lines = [f'{"":20}{"PSNR":>8}{"corners darker by (stops)":>28}']
    for name, found in scores.items():
        decibels, stops = (fmean(values) for values in zip(*found, strict=True))
        lines.append(f'{name:20}{decibels:>8.2f}{stops:>28.2f}')
    return '\n'.join(lines)
