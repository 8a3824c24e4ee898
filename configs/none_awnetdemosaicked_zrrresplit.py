"""AWNet (demosaicked) on ZRR split anew, 9 : 1 (Table E, "Align GT with result": 22.68 / 0.8447 / 0.173).

All else as in configs/none_awnetdemosaicked_zrr.py.
Which pairs are in which part the paper does not say; see ResplitZRRDataset.
"""

from mmengine.config import read_base

with read_base():
    from .none_awnetdemosaicked_zrr import *

from rawtoolbox.datasets import ResplitZRRDataset

train_dataloader.dataset.type = ResplitZRRDataset
val_dataloader.dataset.type = ResplitZRRDataset
test_dataloader.dataset.type = ResplitZRRDataset
