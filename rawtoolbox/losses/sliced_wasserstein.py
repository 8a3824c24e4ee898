"""Local overlapped sliced Wasserstein loss (LOSW): windows of features are compared as heaps, not in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rawtoolbox.losses.vgg import VGGFeatures
from rawtoolbox.ops.masked import at_least_float32, check_images, mask_images
from rawtoolbox.registry import LOSSES


def local_sliced_wasserstein(
    pred: Tensor,
    target: Tensor,
    window: int,
    stride: int = 2,
    directions: Tensor | None = None,
    chunk: int = 32,
) -> Tensor:
    """Sliced Wasserstein distance between what two feature maps hold in the same window, over all windows.

    In each window the features are projected on random directions; the projections of both maps are sorted,
    and their mean absolute difference is taken, so that it does not matter where in the window a feature is.
    With windows as large as the map it is the (global) sliced Wasserstein distance. From SelfDZSR++ (Zhang et
    al., TPAMI 2024; cszhilu1998/SelfDZSR_PlusPlus, models/losses.py, class SWDLocal).

    Args:
        pred: Features of the prediction, (N, C, H, W).
        target: Features of the target, of the same shape.
        window: Side of the windows.
        stride: Step between them.
        directions: Unit vectors, (K, C); None draws C // 2 (at least one) from torch's generator.
        chunk: Directions that are held at a time; the sorted windows are made again in the backward pass.

    Returns:
        A scalar, not negative.

    Raises:
        ValueError: A shape does not fit, or a window is larger than the map.
    """
    check_images(pred, target)
    n, c, h, w = pred.shape
    if not 1 <= window <= min(h, w):
        raise ValueError(f'window: expected 1 to {min(h, w)} for features of {h}x{w}, found {window}.')
    pred, target = at_least_float32(pred), at_least_float32(target)
    if directions is None:
        directions = random_directions(max(c // 2, 1), c, like=pred)
    step = partial(_sorted_difference, pred, target, window=window, stride=stride)
    with torch.autocast(pred.device.type, enabled=False):
        sums = [
            checkpoint(step, some, use_reentrant=False, preserve_rng_state=False)
            for some in directions.split(chunk)
        ]
    windows = ((h - window) // stride + 1) * ((w - window) // stride + 1)
    return torch.stack(sums).sum() / (n * len(directions) * windows * window**2)


def random_directions(count: int, channels: int, like: Tensor) -> Tensor:
    """Unit vectors, (count, channels), evenly distributed over the sphere."""
    return F.normalize(torch.randn(count, channels, device=like.device, dtype=like.dtype), dim=1)


def _sorted_difference(pred: Tensor, target: Tensor, directions: Tensor, window: int, stride: int) -> Tensor:
    """Sum of the absolute differences of the sorted projections of all windows."""
    first, second = (_sorted_windows(features, directions, window, stride) for features in (pred, target))
    return (first - second).abs().sum()


def _sorted_windows(features: Tensor, directions: Tensor, window: int, stride: int) -> Tensor:
    """Projections of a feature map, (N, K, windows, window^2), sorted within each window."""
    projected = F.conv2d(features, directions[:, :, None, None])
    windows = F.unfold(projected, window, stride=stride)
    return rearrange(windows, 'n (k p) l -> n k l p', k=len(directions)).sort(dim=-1).values


@LOSSES.register_module()
class LOSWLoss(nn.Module):
    """``weight`` times the local sliced Wasserstein distance of VGG features.

    The defaults are those of SelfDZSR++. Both images are zero outside the mask.

    Args:
        weight: Factor of the loss.
        layers: Layers of the VGG and their weights.
        parts: A window's side is that of the features (the shorter one) over this, at least 1.
        stride: Step between windows.
        arch: See ``VGGFeatures``.
        missing: See ``VGGFeatures``.
    """

    def __init__(
        self,
        weight: float = 0.08,
        layers: Mapping[str, float] = MappingProxyType({'relu3_2': 1.0, 'relu4_2': 1.0, 'relu5_2': 2.0}),
        parts: int = 6,
        stride: int = 2,
        arch: str | Sequence[str] = 'vgg19',
        missing: Literal['error', 'skip'] = 'error',
    ) -> None:
        super().__init__()
        self.weight, self.layer_weights = weight, tuple(layers.values())
        self.parts, self.stride = parts, stride
        self.features = VGGFeatures(arch, tuple(layers), missing)

    def distance(self, pred: Tensor, target: Tensor) -> Tensor:
        """Of two feature maps, with windows of the size that fits them."""
        window = max(min(pred.shape[-2:]) // self.parts, 1)
        return local_sliced_wasserstein(pred, target, window, self.stride)

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        pred, target = mask_images(pred, target, mask)
        return self.weight * self.features.compare(pred, target, self.distance, self.layer_weights)
