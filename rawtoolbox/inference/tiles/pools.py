"""Means that stand for the mean over the whole input: over windows, over a frame, or of one input for good."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELLS = 16  # a window's side is divided into 16 to 31 cells: means are computed once a cell and interpolated


class LocalMean(nn.Module):
    """Means over windows, on a coarse grid: (N, C, H, W) to (N, C, about H / cell, about W / cell).

    Windows that would reach beyond the border are moved inside, as in TLC.

    Args:
        divisor: By what the window is smaller than the training patch.
    """

    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        self.divisor = divisor
        self.window: tuple[int, int] | None = None  # None: the next input is a training patch, to be measured

    def forward(self, x: Tensor) -> Tensor:
        if self.window is None:
            self.window = tuple(max(1, side // self.divisor) for side in x.shape[-2:])
            return x.mean((2, 3), keepdim=True)
        cell = [cell_size(side) for side in self.window]
        cells = F.avg_pool2d(x, cell, ceil_mode=True, count_include_pad=False)
        window = [
            min(max(1, round(side / step)), size)
            for side, step, size in zip(self.window, cell, cells.shape[-2:], strict=True)
        ]
        means = F.avg_pool2d(cells, window, stride=1)
        (top, bottom), (left, right) = (((side - 1) // 2, side // 2) for side in window)
        return F.pad(means, (left, right, top, bottom), mode='replicate')


def cell_size(window: int) -> int:
    """The power of two that divides a window into ``CELLS`` to twice as many cells, or 1."""
    return 1 << max(0, (window // CELLS).bit_length() - 1)


class FrameMean(nn.Module):
    """The mean over a frame: gathered from the tiles' cores, and then given to every tile."""

    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        if divisor != 1:
            raise ValueError(
                "statistics: 'frame' is not to be had for pyramid pooling, whose means are those of grid cells: "
                "use 'local'."
            )
        self.frozen: Tensor | None = None
        self.core: tuple[tuple[float, float], tuple[float, float]] | None = None
        self.total, self.count = 0.0, 0

    def forward(self, x: Tensor) -> Tensor:
        if self.core is not None:
            rows, columns = (
                slice(round(first * size), round(last * size))
                for (first, last), size in zip(self.core, x.shape[-2:], strict=True)
            )
            part = x[..., rows, columns]
            self.total = self.total + part.sum((2, 3), keepdim=True, dtype=torch.float32)
            self.count += part.shape[-2] * part.shape[-1]
        return x.mean((2, 3), keepdim=True) if self.frozen is None else self.frozen.to(x.dtype)

    def freeze(self) -> float:
        """Takes the mean that was gathered; returns by what fraction of the largest it has changed."""
        before, self.frozen = self.frozen, self.total / self.count
        self.total, self.count, self.core = 0.0, 0, None
        if before is None:
            return float('inf')
        return float((self.frozen - before).abs().max() / self.frozen.abs().max().clamp(min=1e-6))


class HeldMean(nn.Module):
    """The mean of the first input, given ever after: what is left of the network looks at no more than it must."""

    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        self.held: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.held is None:
            self.held = x.mean((2, 3), keepdim=True)
        return self.held


class FrameStatistics:
    """All the means of a network over one frame.

    A layer's statistics depend on those of the layers before it. So each pass over the tiles makes the next layer
    exact, and brings all others nearer; two passes are usually enough for 8 bits.
    """

    def __init__(self, network: nn.Module) -> None:
        self.pools = [module for module in network.modules() if isinstance(module, FrameMean)]

    def __bool__(self) -> bool:
        return bool(self.pools)

    def forget(self) -> None:
        """Makes ready for another frame."""
        for pool in self.pools:
            pool.frozen = None

    def look_at(self, rows: tuple[float, float], columns: tuple[float, float]) -> None:
        """Says which part of the next tile counts, as fractions of its height and width."""
        for pool in self.pools:
            pool.core = (rows, columns)

    def freeze(self) -> float:
        """Ends a pass: what was gathered is used from now on. Returns the largest relative change."""
        return max(pool.freeze() for pool in self.pools)
