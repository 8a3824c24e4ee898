"""File formats of pairs."""

from rawtoolbox.datasets.flow_pairs import FlowPairDataset
from rawtoolbox.datasets.patch_sampler import PatchSampler
from rawtoolbox.datasets.photographs import PhotographRawDataset
from rawtoolbox.datasets.resplit import ResplitZRRDataset
from rawtoolbox.datasets.sr_raw import OFFICIAL_SCENES, SRRAWDataset
from rawtoolbox.datasets.synthetic import SimulatedZRRDataset
from rawtoolbox.datasets.zrr import OFFICIAL_COUNTS, ZRRDataset

__all__ = [
    'OFFICIAL_COUNTS',
    'OFFICIAL_SCENES',
    'FlowPairDataset',
    'PatchSampler',
    'PhotographRawDataset',
    'ResplitZRRDataset',
    'SRRAWDataset',
    'SimulatedZRRDataset',
    'ZRRDataset',
]
