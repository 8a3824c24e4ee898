"""LiteISPNet with GCM on ZRR split anew, 9 : 1 (Table E, "Align GT with result": 23.31 / 0.8747 / 0.131).

All else as in configs/gcm_liteisp_zrr.py.
Which pairs are in which part the paper does not say; see ResplitZRRDataset.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

from rawtoolbox.datasets import ResplitZRRDataset

train_dataloader.dataset.type = ResplitZRRDataset
val_dataloader.dataset.type = ResplitZRRDataset
test_dataloader.dataset.type = ResplitZRRDataset
