"""A colour mapping of one pair by least squares: no training, and like the GCM no pixel can move."""

from __future__ import annotations

import torch
from torch import Tensor

from rawtoolbox.ops.checks import check_shape

RIDGE = 1e-6  # keeps the equations solvable for flat images; per pixel, of values in [0, 1]
LEAST_PIXELS = 200  # fewer valid ones say too little about 14 coefficients a channel


def fit_colours(
    source: Tensor, target: Tensor, mask: Tensor, coord: Tensor | None = None, reweightings: int = 2
) -> Tensor:
    """Gives the source the target's colours by the polynomial that fits best, for each image of a batch.

    What the GCM of Zhang et al. (ICCV 2021, section 3.2) has to learn for all pairs, solved for one: quadratic in
    the colour, and for vignetting with a constant and linear part that grow with the squared distance from the
    frame's centre. A pixel that does not fit, being occluded or warped wrongly, loses weight: iteratively
    reweighted least squares with the weights ``1 / (1 + (r / 2m)^2)``, r being a pixel's residual and m its median.

    Args:
        source: (N, 3, H, W), gamma-encoded, in [0, 1].
        target: The target warped onto it, as far as that is known, (N, 3, H, W).
        mask: 1 where the warped target is valid, (N, 1, H, W).
        coord: Coordinates of the pixels, x then y, zero in the frame's centre, (N, 2, H, W); None leaves
            vignetting out.
        reweightings: How often the weights are found anew.

    Returns:
        The source in the target's colours, in [0, 1], (N, 3, H, W). An image with less than 200 valid pixels is
        the source itself.

    Raises:
        ValueError: Shapes that do not fit.
    """
    sizes = check_shape(source, 'N 3 H W', 'source')
    batch, size = sizes['N'], f'{sizes["H"]} {sizes["W"]}'
    check_shape(target, f'{batch} 3 {size}', 'target')
    check_shape(mask, f'{batch} 1 {size}', 'mask')
    if coord is not None:
        check_shape(coord, f'{batch} 2 {size}', 'coord')
    terms, wanted, valid = (image.flatten(2) for image in (colour_terms(source, coord), target, mask))
    fitted = solve(terms, wanted, valid) @ terms
    for _ in range(reweightings):
        fitted = solve(terms, wanted, valid * agreement(fitted, wanted, valid)) @ terms
    enough = valid.sum(2, keepdim=True) >= LEAST_PIXELS
    return torch.where(enough, fitted, source.flatten(2)).view_as(source).clamp(0, 1)


def colour_terms(image: Tensor, coord: Tensor | None) -> Tensor:
    """The terms of the polynomial at each pixel: (N, 14, H, W), or 10 of them without coordinates."""
    red, green, blue = image.split(1, dim=1)
    linear = torch.cat([torch.ones_like(red), image], 1)
    quadratic = torch.cat([image * image, red * green, green * blue, blue * red], 1)
    if coord is None:
        return torch.cat([linear, quadratic], 1)
    radius2 = coord.to(image).square().sum(1, keepdim=True)
    return torch.cat([linear, quadratic, linear * radius2], 1)


def solve(terms: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Weighted least squares: (N, T, P) terms, (N, 3, P) wanted values and (N, 1, P) weights to (N, 3, T)."""
    weighted = terms * weights
    # the sums over pixels are small: exact, and on the CPU they serve devices that have no float64
    gram = (weighted @ terms.mT).cpu().double()
    moments = (weighted @ wanted.mT).cpu().double()
    total = weights.sum(2, keepdim=True).clamp(min=1).cpu().double()
    ridge = RIDGE * total * torch.eye(terms.shape[1], dtype=torch.float64)
    return torch.linalg.solve(gram + ridge, moments).mT.to(terms)


def agreement(fitted: Tensor, wanted: Tensor, valid: Tensor) -> Tensor:
    """How far each pixel agrees with a fit, 0 to 1, (N, 1, P)."""
    residual = (fitted - wanted).abs().mean(1, keepdim=True)
    known = torch.where(valid > 0, residual, torch.nan)
    scale = known.nanmedian(2, keepdim=True).values.nan_to_num(1).clamp(min=1e-3)
    return 1 / (1 + (residual / (2 * scale)).square())
