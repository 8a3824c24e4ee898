"""File formats of pairs."""

from rawtoolbox.datasets.synthetic import SimulatedZRRDataset
from rawtoolbox.datasets.zrr import OFFICIAL_COUNTS, ZRRDataset

__all__ = ['OFFICIAL_COUNTS', 'SimulatedZRRDataset', 'ZRRDataset']
