"""From a raw file to a picture, at full resolution, by a trained network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rawtoolbox.deployment.backends import DTYPES, Backend, FastestNetwork, make_network
from rawtoolbox.inference.camera_adaptation import adapted_mosaic, frame_coord, network_input
from rawtoolbox.inference.tiles.memory import bytes_per_sample, choose_tile, memory_for_tiles
from rawtoolbox.inference.tiles.plan import (
    Network,
    TilePlan,
    pad_to_multiple,
    plan_tiles,
    round_up,
    run_tiled,
)
from rawtoolbox.inference.tiles.pools import FrameStatistics, cell_size
from rawtoolbox.inference.tiles.receptive_field import receptive_field
from rawtoolbox.inference.tiles.statistics import (
    frame_version,
    has_global_layers,
    held_version,
    local_version,
)
from rawtoolbox.inference.trained import TrainedNetwork, load_trained
from rawtoolbox.models.ensemble import ensemble_x8
from rawtoolbox.raw.develop import linear_mosaic, turn_upright
from rawtoolbox.raw.frame import RawFrame, make_frame
from rawtoolbox.raw.reader import open_raw
from rawtoolbox.raw.white_balance import settle_white_balance

Statistics = Literal['local', 'frame', 'tile']

BLEND = 32  # samples over which one tile passes into the next
MARGIN = (
    16  # sensor pixels; on simulated frames 8 still differ from 128 by 0.01 dB in the outermost 32, 16 do not
)
HALF_SIZE = 0.55  # of the memory that 16 bits leave of that in 32
OVERRIDES = ('as_shot_gains', 'xyz_to_camera', 'orientation')


@dataclass(frozen=True, eq=False)
class Developed:
    """A developed frame.

    Attributes:
        image: (3, H, W) float32 sRGB in [0, 1], in the sensor's orientation.
        frame: What was developed.
        notices: Whatever a careful user should know, one sentence each; the frame's own among them.
        seconds: Time spent, by ``'reading'`` and ``'network'``.
        difference: Largest difference to the result without tiles, where that was asked for.
    """

    image: Tensor
    frame: RawFrame
    notices: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    difference: float | None = None

    def upright(self) -> Tensor:
        """The image as a person would hold it."""
        return turn_upright(self.image, self.frame.orientation)


class Inferencer:
    """Develops raw files by a trained network.

    >>> infer = Inferencer('liteisp_zrr.safetensors', device='cuda')  # doctest: +SKIP
    >>> infer('photo.dng').upright().shape  # doctest: +SKIP
    torch.Size([3, 3024, 4032])

    A frame stays in main memory; tiles of it go through the network and are blended. They overlap by what a pixel
    sees (measured, see `receptive_field`). Layers that look at their whole input need a choice of ``statistics``.

    Args:
        trained: A checkpoint, or a network with the conditions of its training.
        config: Config file, for a checkpoint that does not carry its own.
        backend: How the network is run, see `make_network`; or what computes ``(raw, coord) -> rgb`` in its place,
            such as an exported network: whatever that has of global layers stays as it is.
        device: Of the network; None for CUDA where there is one.
        dtype: Of most convolutions, see `optimize_for_inference`; an exported network has its own. None leaves it
            to the backend ``'auto'``; for the others it is float32.
        tile: Side of a tile in sensor pixels; None for what fits into memory; 0 for no tiles.
        statistics: Of layers that look at their whole input: ``'local'``: over a window of the training patch's
            size (the default where there are such layers); ``'frame'``: over the whole frame, in ``passes``;
            ``'tile'``: each tile its own, which leaves seams.
        passes: Passes over the tiles with ``'frame'``: all but the last gather statistics.
        margin: Sensor pixels by which a frame is continued at each side, mirrored, before the network sees it, and cut
            afterwards: at the border of its input, a network is at its worst. 0 for none; even.
        tta: Whether to average over the eight flips and transpositions.
        adapt: Whether to map the frame's colours to the training camera's.
        verify: Whether to compute without tiles too, and compare; needs the memory that tiles save.
        progress: Whether to show progress on terminals.

    Raises:
        FileNotFoundError, ValueError: The checkpoint cannot be used (see `load_trained`), or an argument makes no
            sense.
    """

    def __init__(
        self,
        trained: TrainedNetwork | str | Path,
        config: str | Path | None = None,
        *,
        backend: Network | Backend = 'torch',
        device: torch.device | str | None = None,
        dtype: str | None = 'float32',
        tile: int | None = None,
        statistics: Statistics | None = None,
        passes: int = 2,
        margin: int = MARGIN,
        tta: bool = False,
        adapt: bool = False,
        verify: bool = False,
        progress: bool = False,
    ) -> None:
        if dtype is not None and dtype not in DTYPES:
            raise ValueError(f'dtype: expected one of {", ".join(DTYPES)}, found {dtype!r}.')
        if statistics not in ('local', 'frame', 'tile', None):
            raise ValueError(f"statistics: expected 'local', 'frame' or 'tile', found {statistics!r}.")
        if passes < 2:
            raise ValueError(f'passes: expected at least 2, to gather and to develop, found {passes}.')
        if margin < 0 or margin % 2:
            raise ValueError(f'margin: expected an even number of pixels, found {margin}.')
        self.trained = trained if isinstance(trained, TrainedNetwork) else load_trained(trained, config)
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self.dtype = DTYPES.get(dtype)
        exported = None if isinstance(backend, str) else backend
        self.backend = 'exported' if exported else backend
        self.tile, self.passes, self.tta, self.adapt = tile, passes, tta, adapt
        self.margin, self.verify, self.progress = margin, verify, progress
        module = self.trained.network if isinstance(self.trained.network, nn.Module) else None
        found = module is not None and has_global_layers(module)
        self.statistics = 'tile' if exported is not None or not found else (statistics or 'local')
        if module:
            module.to(self.device)
        self.plain = exported or (self._optimised(module) if module else self.trained.network)
        self.network = self._converted(module) if self.statistics != 'tile' else self.plain
        self.frame_statistics = FrameStatistics(self.network) if self.statistics == 'frame' else None
        self._halo: int | None = None

    def __call__(self, source: str | Path | RawFrame | np.ndarray, **geometry: Any) -> Developed:
        """Develops one frame.

        Args:
            source: A file, a frame, or a mosaic (H, W) uint16.
            **geometry: For files and arrays that do not say it themselves: ``cfa``, ``black_level``, ``white_level``,
                ``height``, ``width`` (see `open_raw`). For all: ``as_shot_gains``, ``xyz_to_camera`` and
                ``orientation`` in place of the frame's own.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file or the arguments cannot be used; the message says why.
        """
        start = time.perf_counter()
        frame = read_frame(source, **geometry)
        reading = time.perf_counter() - start
        developed = self.develop(frame)
        developed.seconds['reading'] = reading
        return developed

    def develop(self, frame: RawFrame) -> Developed:
        """Develops a frame in memory.

        Raises:
            ValueError: The network makes values that are NaN or infinite.
        """
        start = time.perf_counter()
        frame = settle_white_balance(frame)
        linear, notices = self._linear(frame)
        margin = min(self.margin, (min(linear.shape[-2:]) - 1) // 2 * 2)
        raw, coord = network_input(linear, self.trained, margin)
        del linear
        image = self._run(raw, coord, margin)
        check_image(image, self.describe())
        seconds = {'network': time.perf_counter() - start}
        difference = None
        if self.verify:
            difference = float((self._run(raw, coord, margin, whole=True) - image).abs().max())
        image = image.clamp_(0, 1)
        return Developed(image, frame, (*frame.notices, *notices), seconds, difference)

    @property
    def alignment(self) -> int:
        """Tiles begin at multiples of this, in samples of the network's input."""
        cells = cell_size(self._patch) if self.statistics == 'local' else 1
        return int(np.lcm(self.trained.raw_input.multiple, cells))

    @property
    def halo(self) -> int:
        """How far a pixel sees, in samples of the network's input; measured when it is first needed."""
        if self._halo is None:
            self._halo = self._measure_halo()
        return self._halo

    def plan(self, height: int, width: int) -> TilePlan:
        """Where a frame is cut; lengths in samples of the network's input, multiples of `alignment`."""
        longest, step = max(height, width), self.alignment
        tile = longest if self.tile == 0 else self.tile and self.tile // self._pixels
        if tile is None:
            memory = memory_for_tiles(self.device) / (1 if self.dtype in (torch.float32, None) else HALF_SIZE)
            tile = choose_tile(self._bytes_per_sample(), memory, 0, step)
        if tile >= longest:
            return plan_tiles(height, width, longest, 0, 0, step)
        # less would be no tile, or, with local statistics, no window of the training patch's size
        least = 2 * (self.halo + BLEND) + (
            max(self._patch, 2 * step) if self.statistics == 'local' else 4 * step
        )
        if self.tile:
            smallest = self._pixels * round_up(2 * (self.halo + BLEND + step), step)
            if self.tile < smallest:
                raise ValueError(
                    f'tile: {self.tile} pixels leave nothing beside what overlaps (a pixel sees '
                    f'{self._pixels * self.halo} pixels far): choose {smallest} or more, or 0 for no tiles.'
                )
            return plan_tiles(height, width, tile, self.halo, BLEND, step)
        return plan_tiles(height, width, round_up(max(tile, least), step), self.halo, BLEND, step)

    @property
    def _pixels(self) -> int:
        """Sensor pixels per sample of the network's input, along one axis."""
        return 2 if self.trained.raw_input.layout == 'packed' else 1

    @property
    def _patch(self) -> int:
        """Side of a training patch in samples of the network's input."""
        return self.trained.patch_size // self._pixels

    def _linear(self, frame: RawFrame) -> tuple[Tensor, list[str]]:
        return adapted_mosaic(frame, self.trained.camera) if self.adapt else (linear_mosaic(frame), [])

    def _converted(self, module: nn.Module) -> nn.Module:
        if self.statistics == 'local':
            return self._optimised(local_version(module, self._patch, self.trained.raw_input.channels))
        # statistics are gathered in torch's modules
        dtype = self.dtype if self.backend != 'plain' else None
        return make_network(frame_version(module), 'torch', self.device, dtype)

    def _optimised(self, module: nn.Module) -> nn.Module:
        """Not compiled for a GPU, which takes longer than a few photographs do."""
        return make_network(module, self.backend, self.device, self.dtype)

    def describe(self) -> str:
        """How the network is run, for the log; what ``'auto'`` has chosen is known after the first frame."""
        network = (
            self.network if isinstance(self.network, FastestNetwork) and self.network.choice else self.plain
        )
        if isinstance(network, FastestNetwork):
            return f'auto: {network.choice or "nothing was run"}'
        return f'{self.backend} in {str(self.dtype or torch.float32).removeprefix("torch.")}'

    def _run(self, raw: Tensor, coord: Tensor, margin: int, whole: bool = False) -> Tensor:
        """(3, H, W) of a frame without its margin, by tiles or as one piece, with or without the self-ensemble."""
        run = self._run_whole if whole else self._run_tiles
        cut = round(margin * self.trained.raw_input.scale / self._pixels)
        with torch.no_grad():
            if self.tta:
                # coordinates of sensor pixels, which flips move by one
                source_coord = frame_coord(*(2 * (side - margin) for side in raw.shape[-2:]), margin)
                backbone: Callable[..., Tensor] = lambda *inputs: run(*inputs)[None]  # noqa: E731
                image = ensemble_x8(backbone, raw, source_coord, self.trained.raw_input)[0]
            else:
                image = run(raw, coord)
        return image[:, cut : image.shape[-2] - cut, cut : image.shape[-1] - cut]

    def _run_tiles(self, raw: Tensor, coord: Tensor) -> Tensor:
        raw, coord, size = self._padded(raw, coord)
        plan = self.plan(*raw.shape[-2:])
        statistics = self.frame_statistics if len(plan) > 1 else None
        if statistics:
            statistics.forget()
            for number in range(1, self.passes):
                caption = f'statistics {number}/{self.passes - 1}'
                self._tiles(
                    raw, coord, plan, caption, lambda row, column: statistics.look_at(row.core, column.core)
                )
                statistics.freeze()
        network = self.network if len(plan) > 1 or self.statistics == 'local' else self.plain
        return self._tiles(raw, coord, plan, 'tiles', network=network)[:, : size[0], : size[1]]

    def _run_whole(self, raw: Tensor, coord: Tensor) -> Tensor:
        """Without tiles: for 'frame' by the network as it was trained."""
        raw, coord, size = self._padded(raw, coord)
        plan = plan_tiles(*raw.shape[-2:], max(raw.shape), 0, 0, self.alignment)
        network = self.network if self.statistics == 'local' else self.plain
        return self._tiles(raw, coord, plan, 'whole', network=network)[:, : size[0], : size[1]]

    def _tiles(
        self,
        raw: Tensor,
        coord: Tensor,
        plan: TilePlan,
        caption: str,
        before: Callable[..., None] | None = None,
        network: Network | None = None,
    ) -> Tensor:
        return run_tiled(
            network or self.network,
            raw,
            coord,
            plan,
            self.trained.raw_input.scale,
            self.device,
            before,
            caption if self.progress else None,
        )

    def _padded(self, raw: Tensor, coord: Tensor) -> tuple[Tensor, Tensor, list[int]]:
        """Input at multiples of `alignment`, and the size of the output that is wanted."""
        size = [round(side * self.trained.raw_input.scale) for side in raw.shape[-2:]]
        return pad_to_multiple(raw, self.alignment), pad_to_multiple(coord, self.alignment), size

    def _bytes_per_sample(self) -> float:
        if not isinstance(self.trained.network, nn.Module):
            raise ValueError('tile: choose one, as the memory that this network needs cannot be told.')
        side = round_up(64, self.alignment)
        return bytes_per_sample(self.trained.network, self.trained.raw_input.channels, side)

    def _measure_halo(self) -> int:
        """The receptive field with the statistics held fixed."""
        module, form = self.trained.network, self.trained.raw_input
        if not isinstance(module, nn.Module):
            raise ValueError(
                'The receptive field of this network cannot be measured: develop without tiles (tile=0).'
            )
        side = round_up(64, form.multiple)
        probe = (0.5 * torch.ones(1, count, side, side, device=self.device) for count in (form.channels, 2))
        held = held_version(module, *probe)
        return receptive_field(held, form.channels, form.multiple, form.scale, device=self.device)


def check_image(image: Tensor, how: str) -> None:
    """Checks what a network made of a frame.

    Args:
        image: Of any shape.
        how: What it was computed by, for the message.

    Raises:
        ValueError: A value is NaN or infinite.
    """
    if not all(math.isfinite(end) for end in torch.aminmax(image)):  # both are NaN if any value is
        raise ValueError(
            f'The network gives values that are NaN or infinite ({how}): compute in float32 '
            "(dtype='float32', --dtype float32); if it was, the network's training has diverged."
        )


def read_frame(source: str | Path | RawFrame | np.ndarray, **geometry: Any) -> RawFrame:
    """A frame from a file or an array, with some of what it says replaced.

    Args:
        source: A file, a frame, or a mosaic (H, W) uint16.
        **geometry: As of :meth:`Inferencer.__call__`; None counts as not given.

    Raises:
        FileNotFoundError, ValueError: See `open_raw`.
    """
    given = {name: value for name, value in geometry.items() if value is not None}
    overrides = {name: given.pop(name) for name in OVERRIDES if name in given}
    if isinstance(source, RawFrame):
        frame = source
    elif isinstance(source, np.ndarray):
        missing = [name for name in ('cfa', 'black_level', 'white_level') if name not in given]
        if missing:
            raise ValueError(f'An array does not say its {", ".join(missing)}: give them as arguments.')
        frame = make_frame(source, **given)
    else:
        frame = open_raw(source, **given)
    if 'xyz_to_camera' in overrides:
        overrides['profile'] = None
    if 'as_shot_gains' in overrides:
        overrides['as_shot_gains'] = tuple(map(float, overrides['as_shot_gains']))
    return replace(frame, **overrides)
