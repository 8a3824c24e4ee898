"""A network over a frame that is too large for it: how to cut, how far a pixel sees, how to join without a seam.

All lengths are in samples of the network's input, which has half the mosaic's height and width when it is packed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from tqdm import tqdm

Network = Callable[[Tensor, Tensor], Tensor]

BUDGET_ON_CPU = 1 << 30  # bytes for the tensors of a tile; more memory makes nothing faster
UNKNOWN_MEMORY = 4 << 30
SCRATCH = 1.4  # what convolutions need beside their inputs and outputs, as a factor; measured: 1.26
LARGEST_TILE = 2048
PROBES = (128, 192, 288)  # sides of the inputs on which the receptive field is looked for


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


class LiveMemory(TorchDispatchMode):
    """Notes the largest number of bytes that tensors made under it took at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[StorageWeakRef, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, Sequence) else [result]:
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.live[StorageWeakRef(storage)] = storage.nbytes()
        self.live = {reference: size for reference, size in self.live.items() if not reference.expired()}
        self.peak = max(self.peak, sum(self.live.values()))
        return result


def bytes_per_sample(network: nn.Module, channels: int = 4, side: int = 64) -> float:
    """Memory that a forward pass needs per input sample, in bytes; found on the meta device, in float32."""
    inputs = [torch.empty(1, count, side, side, device='meta') for count in (channels, 2)]
    state = {
        name: torch.empty_like(tensor, device='meta')
        for name, tensor in chain(network.named_parameters(), network.named_buffers())
    }
    with torch.no_grad(), LiveMemory() as memory:
        functional_call(network, state, tuple(inputs))
    return memory.peak / side**2


def memory_for_tiles(device: torch.device | str) -> int:
    """Bytes that the tensors of a tile may take: most of a GPU's free memory, or a part of the main memory."""
    device = torch.device(device)
    if device.type == 'cuda':
        return int(0.8 * torch.cuda.mem_get_info(device)[0])
    return min(free_memory() // 2, BUDGET_ON_CPU)


def free_memory() -> int:
    """Bytes of main memory that are free for this process; a guess where the system does not tell."""
    found = [UNKNOWN_MEMORY]
    information = Path('/proc/meminfo')
    if information.is_file():
        lines = dict(line.split(':', 1) for line in information.read_text().splitlines())
        found = [int(lines['MemAvailable'].split()[0]) << 10] if 'MemAvailable' in lines else found
    limit, used = (Path(f'/sys/fs/cgroup/memory.{name}') for name in ('max', 'current'))
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        found.append(int(text) - int(used.read_text()))
    return max(0, min(found))


def choose_tile(sample_bytes: float, memory: int, least: int, multiple: int = 1) -> int:
    """Side of the largest tile that fits into memory, at least ``least``."""
    side = int(math.sqrt(memory / (SCRATCH * sample_bytes))) // multiple * multiple
    return round_up(min(max(side, least), LARGEST_TILE), multiple)


def round_up(value: int, multiple: int) -> int:
    """The least multiple that is not below a value."""
    return -(-value // multiple) * multiple
