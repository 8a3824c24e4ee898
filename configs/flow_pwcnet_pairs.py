"""PWC-Net on pairs that look as an aligner's do: photographs and dead leaves, displaced by up to 20 pixels.

In bfloat16 (features; flows in float32), on small crops, so that a CPU with matrix units gets somewhere. First the
features learn to match, then everything, at last the flow alone. Then
`tools/publish.py configs/flow_pwcnet_pairs.py CHECKPOINT pwcnet.safetensors --half` writes the weights.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.flow_pairs import *
    from ._base_.runtime import *

from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from rawtoolbox.engine.optim import AutocastOptimWrapper
from rawtoolbox.flow import PWCNet
from rawtoolbox.losses import MultiscaleFlowLoss
from rawtoolbox.models import FlowLearner

_iterations = 14000

model = dict(
    type=FlowLearner,
    flow_estimator=dict(type=PWCNet, weights=None),
    loss=dict(type=MultiscaleFlowLoss),
    matching=1.0,
    features_first=1000,
    matching_until=6000,
)

_slow = dict(lr_mult=0.3)  # layers that give flow: hundreds of features, and a unit is 20 pixels
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
train_cfg = dict(type=IterBasedTrainLoop, max_iters=_iterations, val_interval=1000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

default_hooks.checkpoint.interval = 500
default_hooks.checkpoint.by_epoch = False
log_processor.by_epoch = False
