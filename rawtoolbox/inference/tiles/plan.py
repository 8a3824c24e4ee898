"""A network over a frame that is too large for it: how to cut, and how to join without a seam.

All lengths are in samples of the network's input, which has half the mosaic's height and width when it is packed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

Network = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Span:
    """One tile along one axis.

    Attributes:
        start: First sample that the network is given.
        stop: One behind the last.
        first: First sample that is this tile's own; the tiles' own parts, their cores, make up the axis.
        last: One behind the last of its own.
    """

    start: int
    stop: int
    first: int
    last: int

    @property
    def core(self) -> tuple[float, float]:
        """Where the core begins and ends, as fractions of the tile."""
        length = self.stop - self.start
        return (self.first - self.start) / length, (self.last - self.start) / length


def plan_axis(length: int, tile: int, overlap: int, multiple: int = 1) -> list[Span]:
    """Cuts one axis into tiles of one size that overlap, as few and as small as can be.

    >>> [(span.start, span.stop) for span in plan_axis(96, tile=48, overlap=16, multiple=8)]
    [(0, 48), (24, 72), (48, 96)]

    Args:
        length: Of the axis; a multiple of ``multiple``.
        tile: Largest length of a tile; an axis that is no longer stays whole.
        overlap: Least overlap of neighbours.
        multiple: Tiles and cores begin and end at multiples of this.

    Raises:
        ValueError: The length is no multiple, or the tiles do not reach beyond their overlap.
    """
    if length % multiple:
        raise ValueError(f'length: expected a multiple of {multiple}, found {length}: pad the frame.')
    if tile >= length:
        return [Span(0, length, 0, length)]
    overlap = round_up(overlap, multiple)
    stride = tile // multiple * multiple - overlap
    if stride < 1:
        raise ValueError(
            f'tile: {tile} samples leave nothing between overlaps of {overlap}: choose a larger tile, at least '
            f'{overlap + multiple}.'
        )
    steps = math.ceil((length - overlap) / stride) - 1
    # as many tiles can be smaller: overlaps are no larger than they have to be
    tile = round_up(math.ceil((length + steps * overlap) / (steps + 1)), multiple)
    starts = [index * (length - tile) // steps // multiple * multiple for index in range(steps + 1)]
    # neighbours meet in the middle of their overlap
    borders = [
        round_up((after + before + tile) // 2, multiple) for before, after in itertools.pairwise(starts)
    ]
    return [
        Span(start, start + tile, first, last)
        for start, first, last in zip(starts, [0, *borders], [*borders, length], strict=True)
    ]


def blend_weights(span: Span, length: int, blend: int, scale: float = 1) -> tuple[slice, Tensor]:
    """How much a tile counts along one axis: 1 in its core, with ramps over the inner borders.

    The weights of neighbours add up to 1 everywhere, so that nothing has to be normalised afterwards.

    Args:
        span: The tile.
        length: Of the axis.
        blend: Width of a ramp, half of it on either side of a border.
        scale: Output samples per input sample.

    Returns:
        The part of the output's axis where the tile counts, and its weights there, 1-D float32.
    """
    first = span.first - blend / 2 if span.first > 0 else 0
    last = span.last + blend / 2 if span.last < length else length
    part = slice(math.floor(first * scale), math.ceil(last * scale))
    position = (torch.arange(part.start, part.stop, dtype=torch.float64) + 0.5) / scale
    weights = torch.ones_like(position)
    if span.first > 0:
        weights *= ((position - first) / max(blend, 1e-9)).clamp(0, 1)
    if span.last < length:
        weights *= ((last - position) / max(blend, 1e-9)).clamp(0, 1)
    return part, weights.float()


@dataclass(frozen=True)
class TilePlan:
    """Where a frame is cut.

    Attributes:
        rows: Tiles along the height.
        columns: Tiles along the width.
        blend: Width of the ramps between them.
        height: Of the frame.
        width: Of the frame.
    """

    rows: list[Span]
    columns: list[Span]
    blend: int
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[tuple[Span, Span]]:
        return itertools.product(self.rows, self.columns)


def plan_tiles(height: int, width: int, tile: int, halo: int, blend: int, multiple: int = 1) -> TilePlan:
    """Cuts a frame into tiles whose overlaps hold two halos and the ramp between them.

    Args:
        height: Of the frame; a multiple of ``multiple``.
        width: Likewise.
        tile: Side of a tile.
        halo: How far from an inner edge of a tile its output is not used: the receptive field's radius.
        blend: Width of the ramp between neighbours; narrower where a core is.
        multiple: Tiles begin and end at multiples of this.
    """
    overlap = 2 * halo + blend + multiple  # cores begin at multiples, up to half of one beside the middle
    rows, columns = (plan_axis(length, tile, overlap, multiple) for length in (height, width))
    # where ramps met, three tiles would count, and their weights would not add up to 1
    blend = min(blend, *(span.last - span.first for span in (*rows, *columns)))
    return TilePlan(rows, columns, blend, height, width)


def run_tiled(
    network: Network,
    raw: Tensor,
    coord: Tensor,
    plan: TilePlan,
    scale: float = 2,
    device: torch.device | str = 'cpu',
    before: Callable[[Span, Span], None] | None = None,
    progress: str | None = None,
) -> Tensor:
    """Runs a network over a frame, tile by tile; the frame stays where it is, the tiles go to the device.

    Args:
        network: ``network(raw (1,C,h,w), coord (1,2,h,w)) -> (1,3,scale*h,scale*w)``.
        raw: The whole frame, (1, C, H, W).
        coord: Its coordinates, (1, 2, H, W); each tile gets its slice.
        plan: Where to cut.
        scale: Output samples per input sample.
        device: Where the network is.
        before: Told of each tile before the network sees it.
        progress: Caption of a progress bar, shown on terminals; None for none.

    Returns:
        (3, scale*H, scale*W) float32, on the CPU.
    """
    image = torch.zeros(3, round(plan.height * scale), round(plan.width * scale))
    tiles = tqdm(
        plan, progress, leave=False, unit='tile', disable=None if progress and len(plan) > 1 else True
    )
    for row, column in tiles:
        if before:
            before(row, column)
        part = (..., slice(row.start, row.stop), slice(column.start, column.stop))
        output = network(raw[part].to(device), coord[part].to(device))[0]
        (rows, weight_y), (columns, weight_x) = (
            blend_weights(span, length, plan.blend, scale)
            for span, length in ((row, plan.height), (column, plan.width))
        )
        top, left = round(row.start * scale), round(column.start * scale)
        used = (
            output[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            .float()
            .cpu()
        )
        image[:, rows, columns] += used * weight_y[:, None] * weight_x
    return image


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Mirrors an image (N, C, H, W) at its lower and right border up to multiples of ``multiple``."""
    bottom, right = (-side % multiple for side in image.shape[-2:])
    if not bottom and not right:
        return image
    mode = 'reflect' if bottom < image.shape[-2] and right < image.shape[-1] else 'replicate'
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def round_up(value: int, multiple: int) -> int:
    """The least multiple that is not below a value."""
    return -(-value // multiple) * multiple
