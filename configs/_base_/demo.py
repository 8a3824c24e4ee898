"""Simulated phone and DSLR pairs from photographs that scikit-image and scikit-learn carry: nothing to download.

The pairs are made on first use, in ZRR's layout, with the true flow and the exactly aligned target beside them.
"""

from mmengine.dataset import DefaultSampler

from rawtoolbox.datasets import SimulatedZRRDataset
from rawtoolbox.metrics import AlignmentProtocols

data_root = 'data/demo'
_simulation = dict(patch_size=256)

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=SimulatedZRRDataset, split='train', simulation=_simulation, with_truth=False),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=SimulatedZRRDataset, split='test', simulation=_simulation),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=AlignmentProtocols, protocols=('original', 'align_raw'), metrics=('psnr',))
test_evaluator = dict(type=AlignmentProtocols, out_dir=None)
