"""Zurich RAW to RGB: 46,839 training and 1,204 test pairs of 448x448 pixels (Ignatov et al., CVPRW 2020)."""

from mmengine.dataset import DefaultSampler

from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.metrics import AlignmentProtocols

data_root = 'data/zrr'

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=ZRRDataset, split='train'),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=ZRRDataset, split='test'),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=AlignmentProtocols, protocols=('original', 'align_raw'), metrics=('psnr', 'ssim'))
test_evaluator = dict(type=AlignmentProtocols, out_dir=None)
