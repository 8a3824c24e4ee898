"""SR-RAW: 400, 50 and 50 scenes for training, validation and test (Zhang et al., CVPR 2019), 4x.

Training is on crops of 128 sensor pixels, which are 64 packed ones and 512 of the target, 1000 batches of 16 an
epoch; validation is on one crop in the middle of each image; testing on whole images at 35/150 mm (Table 2).
Table D has all focal lengths: test_dataloader.dataset.pairs=None.
"""

from mmengine.dataset import DefaultSampler

from rawtoolbox.datasets import PatchSampler, SRRAWDataset
from rawtoolbox.metrics import AlignmentProtocols

data_root = 'data/srraw'

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type=PatchSampler, length=16000),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=SRRAWDataset, split='train', crop_size=128),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=SRRAWDataset, split='val', crop_size=128),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=SRRAWDataset, split='test', pairs=('35/150',)),
)

val_evaluator = dict(type=AlignmentProtocols, protocols=('original', 'align_raw'), metrics=('psnr', 'ssim'))
test_evaluator = dict(type=AlignmentProtocols, flow_size=0.5, out_dir=None)
