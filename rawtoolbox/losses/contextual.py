"""Losses that compare each feature with the most similar one, wherever that is: contextual and CoBi."""

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

Distance = Literal['cosine', 'l2']
Form = Literal['official', 'paper']
Coordinates = Literal['true', 'official']

NEAR_MEAN = 1e-3  # a centred feature shorter than this has no direction: its gradient would have no bound
RELATIVE_EPS = 1e-3  # as in the official code of CoBi; Mechrez et al. print 1e-5
MOST_POSITIONS = 63 * 63  # as in the official code of CoBi
FULL_SIDE = 255  # length of an image's side in the spatial distances of the official code


def contextual(
    pred: Tensor,
    target: Tensor,
    spatial_weight: float = 0.0,
    distance: Distance = 'cosine',
    bandwidth: float = 0.5,
    form: Form = 'official',
    coordinates: Coordinates = 'true',
    max_positions: int = MOST_POSITIONS,
    chunk: int = 256,
) -> Tensor:
    """Contextual distance of two feature maps (Mechrez et al., ECCV 2018); with a spatial weight, CoBi.

    CoBi (Zhang et al., *Zoom to Learn, Learn to Zoom*, CVPR 2019) also wants alike features near each other.
    ``form='official'`` is its code (ceciliavision/zoom-learn-zoom, CX/CSFlow.py): affinities of features and
    of positions are mixed, and the loss is minus the logarithm of the mean, over the target's features, of the
    best one. As distances count relative to the nearest, its affinity of positions is 1 in the same place and
    0 anywhere else, one step away included. ``form='paper'`` is the printed definition: the mean, over the
    prediction's features, of the least ``distance + spatial_weight * squared spatial distance``, the image's
    sides being 1.

    Above ``max_positions`` the same random positions of both maps are compared; the affinities are made
    ``chunk`` rows at a time and again in the backward pass, so that the whole matrix is never held.

    Args:
        pred: Features of the prediction, (N, C, H, W).
        target: Features of the target, of the same shape.
        spatial_weight: Share (official) or weight (paper) of the spatial term; 0.1 in the code of CoBi.
        distance: ``'cosine'`` for features, ``'l2'`` (squared) for patches of pixels.
        bandwidth: Relative distance that still counts as alike, for ``form='official'``.
        form: See above.
        coordinates: Places of randomly chosen positions: ``'true'``, or ``'official'``, which takes them for an
            ordered grid.
        max_positions: Positions above which a random choice is compared.
        chunk: Rows of the matrix that are held at a time.

    Returns:
        A scalar, not negative.

    Raises:
        ValueError: A shape or an argument does not fit.
    """
    check_images(pred, target)
    check_options(distance=distance, form=form, coordinates=coordinates)
    first, second, places = _choose(pred, target, max_positions, coordinates)
    if distance == 'cosine':
        first, second = centre(first, second)
    rows = partial(_best_affinity, bandwidth=bandwidth) if form == 'official' else _least_distance
    rows = partial(rows, second=second, places=places, spatial_weight=spatial_weight, distance=distance)
    with torch.autocast(pred.device.type, enabled=False):  # 8 bits do not tell the nearest from the second
        parts = [
            checkpoint(rows, some, here, use_reentrant=False, preserve_rng_state=False)
            for some, here in zip(first.split(chunk, dim=1), places.split(chunk), strict=True)
        ]
    if form == 'paper':
        return torch.cat(parts, dim=1).mean()
    best = torch.stack(parts).amax(dim=0)
    return -best.mean(dim=1).log().mean()


def centre(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Directions of features, (N, P, C), seen from the mean of all of the second's."""
    mean = second.mean(dim=(0, 1))
    return tuple(F.normalize(features - mean, dim=2, eps=NEAR_MEAN) for features in (first, second))


def pair_distance(first: Tensor, second: Tensor, distance: Distance) -> Tensor:
    """Distances of all pairs of (N, P, C) and (N, Q, C), as (N, P, Q).

    ``'cosine'``: ``(1 - cos) / 2`` of directions, from 0 to 1; ``'l2'``: the squared length of the difference.
    """
    products = first @ second.mT
    if distance == 'cosine':
        return ((1 - products) / 2).clamp(min=0)
    squares = first.square().sum(2)[:, :, None] + second.square().sum(2)[:, None]
    return (squares - 2 * products).clamp(min=0)


def spatial_distance(here: Tensor, there: Tensor) -> Tensor:
    """Squared distances of all pairs of places (P, 2) and (Q, 2), as (P, Q)."""
    return (here[:, None] - there).square().sum(2)


def affinity(distances: Tensor, bandwidth: float) -> Tensor:
    """How much each row's feature is like each column's, relative to the nearest; rows sum to 1.

    Eq. 2 to 4 of Mechrez et al., as a softmax, which cannot overflow.
    """
    nearest = distances.amin(dim=-1, keepdim=True)
    return torch.softmax(-distances / (nearest + RELATIVE_EPS) / bandwidth, dim=-1)


def _best_affinity(
    some: Tensor,
    here: Tensor,
    second: Tensor,
    places: Tensor,
    spatial_weight: float,
    distance: Distance,
    bandwidth: float,
) -> Tensor:
    """For each feature of the target, (N, Q), the best affinity that some of the prediction's have to it."""
    alike = affinity(pair_distance(some, second, distance), bandwidth)
    if spatial_weight:
        near = affinity(FULL_SIDE**2 * spatial_distance(here, places), bandwidth)
        alike = (1 - spatial_weight) * alike + spatial_weight * near
    return alike.amax(dim=1)


def _least_distance(
    some: Tensor,
    here: Tensor,
    second: Tensor,
    places: Tensor,
    spatial_weight: float,
    distance: Distance,
) -> Tensor:
    """For some features of the prediction, (N, P), the least distance to one of the target's."""
    distances = pair_distance(some, second, distance)
    return (distances + spatial_weight * spatial_distance(here, places)).amin(dim=2)


def _choose(
    pred: Tensor, target: Tensor, count: int, coordinates: Coordinates
) -> tuple[Tensor, Tensor, Tensor]:
    """Features (N, P, C) at the same positions of both maps, and these positions' places (P, 2) in [0, 1)."""
    first, second = (rearrange(at_least_float32(x), 'n c h w -> n (h w) c') for x in (pred, target))
    places = _grid(*pred.shape[-2:], like=first)
    if first.shape[1] <= count:
        return first, second, places
    chosen = torch.randperm(first.shape[1], device=first.device)[:count]
    if coordinates == 'official':
        side = int(count**0.5)
        chosen = chosen[: side * side]
        places = _grid(side, side, like=first)
    else:
        places = places[chosen]
    return first[:, chosen], second[:, chosen], places


def _grid(height: int, width: int, like: Tensor) -> Tensor:
    """Places of a grid's positions, row by row, (H * W, 2), the image's sides being 1."""
    rows, columns = (
        torch.arange(size, device=like.device, dtype=like.dtype) / size for size in (height, width)
    )
    return torch.cartesian_prod(rows, columns)


def check_options(**given: str) -> None:
    """Raises ValueError for a distance, form or coordinates that there is not."""
    allowed = {
        'distance': ('cosine', 'l2'),
        'form': ('official', 'paper'),
        'coordinates': ('true', 'official'),
    }
    for name, value in given.items():
        if value not in allowed[name]:
            raise ValueError(f'{name}: expected {" or ".join(map(repr, allowed[name]))}, found {value!r}.')


@LOSSES.register_module()
class ContextualLoss(nn.Module):
    """``weight`` times the contextual distance of VGG features. Both images are zero outside the mask.

    Args:
        weight: Factor of the loss.
        layers: Layers of the VGG and their weights; AlignFormer (Feng et al., CVPR 2023) has conv4_4.
        bandwidth: See ``contextual``.
        max_positions: See ``contextual``.
        arch: See ``VGGFeatures``.
        missing: See ``VGGFeatures``.
    """

    def __init__(
        self,
        weight: float = 1.0,
        layers: Mapping[str, float] = MappingProxyType({'conv4_4': 1.0}),
        bandwidth: float = 0.5,
        max_positions: int = MOST_POSITIONS,
        arch: str | Sequence[str] = 'vgg19',
        missing: Literal['error', 'skip'] = 'error',
    ) -> None:
        super().__init__()
        self.weight, self.layer_weights = weight, tuple(layers.values())
        self.features = VGGFeatures(arch, tuple(layers), missing)
        self.distance = partial(contextual, bandwidth=bandwidth, max_positions=max_positions)

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        pred, target = mask_images(pred, target, mask)
        return self.weight * self.features.compare(pred, target, self.distance, self.layer_weights)
