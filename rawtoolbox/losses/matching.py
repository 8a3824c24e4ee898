"""A loss of the features that a cost volume compares: the true match must stand out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.ops.cost_volume import correlation
from rawtoolbox.ops.warp import backward_warp

REACH = 4  # cells of the cost volume
SHARPNESS = 8.0  # of the softmax over the likeness of features as they are


def matching_error(first: Sequence[Tensor], second: Sequence[Tensor], truth: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy between the likeness of features and where the match truly is, averaged over levels.

    A flow network learns nothing as long as its cost volume says nothing, and its features learn nothing as long as
    the decoders make nothing of the volume. This gives the features a gradient of their own from the first step: the
    second image's are warped by the true flow and a random displacement of up to 3 cells, which a softmax over the
    cost volume has to find. Features just initialised hardly differ from place to place; so they are compared
    normalised, every channel over the image, as well as they are.

    Args:
        first: Features of levels of a pyramid, (N, C, h, w) each.
        second: The other image's.
        truth: True flow, (N, 2, H, W), in pixels of the full size.
        valid: 1 where it is known, (N, 1, H, W).

    Returns:
        A scalar, in nats.
    """
    levels = [level_entropy(a, b, truth, valid.to(truth)) for a, b in zip(first, second, strict=True)]
    return torch.stack(levels).mean()


def level_entropy(first: Tensor, second: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """The cross-entropy at one level, as features are and normalised."""
    first, second, size = first.float(), second.float(), first.shape[-2:]
    share = F.adaptive_avg_pool2d(valid, size)
    cells = F.adaptive_avg_pool2d(truth * valid, size) / share.clamp(min=1e-6) * (size[1] / truth.shape[-1])
    offset = (torch.rand(len(truth), 2, 1, 1, device=truth.device) * 2 - 1) * (REACH - 1)
    warped, coverage = backward_warp(second, cells + offset)
    wanted = bilinear_target(-offset.flatten(1), REACH)[..., None, None]
    plain = SHARPNESS * correlation(first, warped, REACH)
    normalised = first.shape[1] ** 0.5 * correlation(normalise(first), normalise(warped), REACH)
    entropy = -(wanted * (plain.log_softmax(1) + normalised.log_softmax(1))).sum(1, keepdim=True) / 2
    weight = share.eq(1) * coverage
    return (entropy * weight).sum() / weight.sum().clamp(min=1)


def normalise(features: Tensor) -> Tensor:
    """Every channel with mean 0 and deviation 1 over the image."""
    return F.instance_norm(features, eps=1e-6)


def bilinear_target(displacement: Tensor, reach: int) -> Tensor:
    """Weights of the cells of a cost volume that a displacement lies between.

    Args:
        displacement: (N, 2), x then y, in cells, of at most ``reach`` along each axis.
        reach: Largest displacement of the volume.

    Returns:
        (N, (2 reach + 1)^2), summing to 1; the order is that of :func:`rawtoolbox.ops.cost_volume.correlation`.
    """
    steps = torch.arange(-reach, reach + 1, device=displacement.device)
    x, y = (1 - (displacement[:, None, axis] - steps).abs().clamp(max=1) for axis in (0, 1))
    return (y[:, :, None] * x[:, None, :]).flatten(1)
