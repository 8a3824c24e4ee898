"""What every aligner returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Aligned(NamedTuple):
    """A target lined up with the source, and how.

    Attributes:
        target: Aligned target, (N, 3, sH, sW) in [0, 1]; zero where ``mask`` is 0.
        mask: 1 where the target could be found, (N, 1, sH, sW).
        flow: From source positions to target positions in source pixels, (N, 2, H, W); None without one.
        mapped: The source with its colour brought to the target's, (N, 3, H, W); None without a colour mapper.
    """

    target: Tensor
    mask: Tensor
    flow: Tensor | None = None
    mapped: Tensor | None = None
