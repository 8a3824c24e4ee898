"""What a data set of pairs is made by, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True)
class PairSettings:
    """What a data set of pairs depends on besides the photographs.

    Attributes:
        patch_size: Side of a patch in sensor pixels, even.
        stride: From one patch to the next, even; None for patches that do not overlap.
        search: How far around its place by the homography a patch is looked for, pixels; 0 leaves it there.
        min_correlation: Least normalised cross-correlation; Zurich RAW to RGB: 0.9 (Zhang et al. 2021, Section 4.1).
        max_displacement: Largest mean displacement that may remain in a patch, pixels; own choice.
        test_share: Share of the photographs (not of the patches: those of one would be in both) that are for testing.
        geometry: What raw files do not say themselves: see :func:`rawtoolbox.raw.open_raw`.

    Raises:
        ValueError: A value makes no sense.
    """

    patch_size: int = 448
    stride: int | None = None
    search: int = 16
    min_correlation: float = 0.9
    max_displacement: float = 4.0
    test_share: float = 0.1
    geometry: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (('patch_size', self.patch_size), ('stride', self.stride or self.patch_size)):
            if value < 64 or value % 2:
                raise ValueError(f'{name}: expected an even number of at least 64, found {value}.')
        if not 0 <= self.search <= self.patch_size // 4:
            raise ValueError(f'search: expected 0 to a quarter of patch_size, found {self.search}.')
        if not 0 <= self.test_share < 1:
            raise ValueError(f'test_share: expected a share from 0 to below 1, found {self.test_share}.')


class Levels(NamedTuple):
    """Black level of R, Gr, Gb, B, and the white level, of all mosaics of the data set."""

    black: list[float]
    white: float


class Result(NamedTuple):
    """What came of the photographs.

    Attributes:
        records: One dict a pair, as stored in ``records/``.
        failures: What could not be read, by name.
        levels: Of the mosaics written.
        bit_depth: Bits that their values need.
    """

    records: list[dict[str, Any]]
    failures: dict[str, str]
    levels: Levels
    bit_depth: int

    def count(self, split: str | None = None) -> int:
        """Patches kept, of a split or of both."""
        return sum(
            not patch['rejected']
            for record in self.records
            if split in (None, record['split'])
            for patch in record['patches'].values()
        )
