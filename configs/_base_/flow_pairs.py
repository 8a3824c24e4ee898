"""Pairs with known displacement, drawn as training goes: what flow estimators learn from. Nothing to download."""

from mmengine.dataset import DefaultSampler, InfiniteSampler

from rawtoolbox.datasets import FlowPairDataset
from rawtoolbox.metrics import FlowError

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=FlowPairDataset, split='train', size=192),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=FlowPairDataset, split='test', length=24, size=256),
)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type=FlowError)
