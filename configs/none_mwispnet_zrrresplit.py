"""MW-ISPNet on ZRR split anew, 9 : 1 (Table E, "Align GT with result": 23.00 / 0.8530 / 0.166).

All else as in configs/none_mwispnet_zrr.py.
Which pairs are in which part the paper does not say; see ResplitZRRDataset.
"""

from mmengine.config import read_base

with read_base():
    from .none_mwispnet_zrr import *

from rawtoolbox.datasets import ResplitZRRDataset

train_dataloader.dataset.type = ResplitZRRDataset
val_dataloader.dataset.type = ResplitZRRDataset
test_dataloader.dataset.type = ResplitZRRDataset
