"""Backward warping by an optical flow, and masks of where it can be trusted."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.ops.checks import check_same_size, check_shape
from rawtoolbox.ops.constants import constant

Scaling = Literal['pixel', 'official']


def backward_warp(image: Tensor, flow: Tensor, scaling: Scaling = 'pixel') -> tuple[Tensor, Tensor]:
    """Samples an image where a flow points: ``warped(p) = image(p + flow(p))``, bilinear, zero outside.

    A position is kept as a whole pixel and a fraction, and never normalised by the size as ``grid_sample``
    needs it: a flow of whole pixels moves the image exactly, bit for bit. Differentiable in both arguments.

    >>> one_to_the_right = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 4)
    >>> warped, coverage = backward_warp(torch.arange(4.0).view(1, 1, 1, 4), one_to_the_right)
    >>> warped.flatten(), coverage.flatten()
    (tensor([1., 2., 3., 0.]), tensor([1., 1., 1., 0.]))

    Args:
        image: (N, C, H, W), floating point.
        flow: (N, 2, H, W), x then y.
        scaling: ``'pixel'``: the flow is in pixels. ``'official'``: as the official code reads it, a flow
            ``u`` moves by ``u * W / (W - 1)`` pixels (and likewise in y), because the flow is scaled for one
            convention of ``grid_sample`` and sampled in the other: 0.2% too far at a width of 448.

    Returns:
        The warped image, (N, C, H, W), and its coverage, (N, 1, H, W): the warp of an image of ones, i.e. the
        share of each pixel that lies inside.

    Raises:
        ValueError: Shapes that do not fit each other, or another ``scaling``.
    """
    sizes = check_shape(image, 'N C H W', 'image')
    check_shape(flow, f'{sizes["N"]} 2 _ _', 'flow')
    check_same_size(image, flow, ('image', 'flow'))
    height, width = sizes['H'], sizes['W']
    if scaling == 'official':
        flow = flow * constant([width / max(width - 1, 1), height / max(height - 1, 1)], flow).view(2, 1, 1)
    elif scaling != 'pixel':
        raise ValueError(f"scaling: expected 'pixel' or 'official', found {scaling!r}.")

    whole = flow.detach().floor()
    part_x, part_y = (flow - whole).split(1, dim=1)
    step_x, step_y = whole.long().split(1, dim=1)
    # Two pixels of zeros all round: whatever lies outside is clamped to them.
    x = (torch.arange(width, device=flow.device) + step_x).clamp(-2, width)
    y = (torch.arange(height, device=flow.device)[:, None] + step_y).clamp(-2, height)
    stride = width + 4
    corner = ((y + 2) * stride + x + 2).flatten(2).expand(-1, sizes['C'], -1)
    pixels = F.pad(image.to(torch.promote_types(image.dtype, flow.dtype)), (2, 2, 2, 2)).flatten(2)

    def at(dy: int, dx: int) -> Tensor:
        return pixels[..., dy * stride + dx :].gather(2, corner).view(image.shape)

    upper = torch.lerp(at(0, 0), at(0, 1), part_x.to(pixels))
    lower = torch.lerp(at(1, 0), at(1, 1), part_x.to(pixels))
    warped = torch.lerp(upper, lower, part_y.to(pixels))
    coverage = _share_inside(x, part_x, width) * _share_inside(y, part_y, height)
    return warped.to(image), coverage.to(image)


def _share_inside(position: Tensor, part: Tensor, size: int) -> Tensor:
    """Along one axis: how much of a pixel at ``position + part`` lies within [0, size)."""
    here = (position >= 0) & (position < size)
    following = (position >= -1) & (position < size - 1)
    return here * (1 - part) + following * part


def valid_mask(coverage: Tensor, eps: float = 1e-3) -> Tensor:
    """1 where ``coverage >= 1 - eps``: the pixel came from inside (Zhang et al., ICCV 2021, Eq. 6)."""
    return (coverage >= 1 - eps).to(coverage)


def warp_with_mask(image: Tensor, flow: Tensor, scaling: Scaling = 'pixel') -> tuple[Tensor, Tensor]:
    """Warps an image and sets to zero what does not lie wholly inside.

    Returns:
        The warped image times its mask, (N, C, H, W), and the mask, (N, 1, H, W) in {0, 1}.
    """
    warped, coverage = backward_warp(image, flow, scaling)
    mask = valid_mask(coverage)
    return warped * mask, mask


def resize_flow(flow: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Resizes a flow bilinearly and scales its values with the image.

    Args:
        flow: (N, 2, H, W) in pixels of its own size.
        size: New height and width.
        align_corners: As of ``torch.nn.functional.interpolate``; True in the official training on SR-RAW.

    Returns:
        (N, 2, *size) in pixels of the new size.
    """
    sizes = check_shape(flow, 'N 2 H W', 'flow')
    ratio = constant([size[1] / sizes['W'], size[0] / sizes['H']], flow).view(2, 1, 1)
    return F.interpolate(flow, size=size, mode='bilinear', align_corners=align_corners) * ratio


def forward_backward_mask(
    forward: Tensor, backward: Tensor, alpha: float = 0.01, beta: float = 0.5
) -> Tensor:
    """1 where the backward flow leads back to where the forward flow came from.

    The criterion of Sundaram et al. (ECCV 2010), with the constants of UnFlow (Meister et al., AAAI 2018):
    ``|f + b|^2 < alpha (|f|^2 + |b|^2) + beta``, b being taken at p + f(p).

    Args:
        forward: f, from first to second image, (N, 2, H, W) in pixels.
        backward: b, from second to first image, (N, 2, H, W).
        alpha: Tolerance relative to the flows' squared lengths.
        beta: Tolerance in square pixels.

    Returns:
        (N, 1, H, W) in {0, 1}; 0 where the forward flow leaves the image.
    """
    back, coverage = backward_warp(backward, forward)
    gap = (forward + back).square().sum(dim=1, keepdim=True)
    lengths = (forward.square() + back.square()).sum(dim=1, keepdim=True)
    return (gap < alpha * lengths + beta).to(coverage) * valid_mask(coverage)
