"""PWC-Net on pairs that look as an aligner's do: photographs and dead leaves, displaced by up to 20 pixels.

In bfloat16 (features; flows in float32), on small crops, so that a CPU with matrix units gets somewhere. First the
features learn to match, then everything. Then
`tools/publish.py configs/flow_pwcnet_pairs.py CHECKPOINT pwcnet.safetensors --half` writes the weights.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from rawtoolbox.datasets import FlowPairDataset
from rawtoolbox.engine.optim import AutocastOptimWrapper
from rawtoolbox.flow import PWCNet
from rawtoolbox.losses import MultiscaleFlowLoss
from rawtoolbox.metrics import FlowError
from rawtoolbox.models import FlowLearner

_iterations = 6000

model = dict(
    type=FlowLearner,
    flow_estimator=dict(type=PWCNet, weights=None),
    loss=dict(type=MultiscaleFlowLoss),
    matching=1.0,
    features_first=600,
)
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=FlowPairDataset, split='train', size=128),
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

_slow = dict(lr_mult=0.03)  # layers that give flow: hundreds of features, and a unit is 20 pixels
optim_wrapper = dict(
    type=AutocastOptimWrapper,
    optimizer=dict(type=AdamW, lr=4e-4, weight_decay=1e-5),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(custom_keys={'predict': _slow, 'upsample': _slow, 'refiner.6': _slow}),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.02, end=50, by_epoch=False),
    dict(type=CosineAnnealingLR, T_max=_iterations, eta_min_ratio=0.01, by_epoch=False),
]
train_cfg = dict(type=IterBasedTrainLoop, max_iters=_iterations, val_interval=500)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

default_hooks.checkpoint.interval = 250
default_hooks.checkpoint.by_epoch = False
log_processor.by_epoch = False
