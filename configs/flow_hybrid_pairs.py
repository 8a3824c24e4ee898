"""HybridFlow on pairs of a camera's raw as it is and a photo: no colour mapper, every strength of colour.

From the bundled photographs and dead leaves; `--cfg-options train_dataloader.dataset.folder=FOLDER` adds a folder of
photographs, as for the weights that come with this project (`HybridFlow('simulated')`). Those were trained shorter, in
three runs: see the .json beside them. About 0.3 s an iteration on one core. Then
`tools/publish.py configs/flow_hybrid_pairs.py CHECKPOINT hybrid.safetensors --half` writes the weights.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.flow_pairs import *
    from ._base_.runtime import *

from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from rawtoolbox.engine.optim import AutocastOptimWrapper
from rawtoolbox.flow import HybridFlow
from rawtoolbox.losses import FlowSequenceLoss
from rawtoolbox.models import RecurrentFlowLearner

_iterations = 5800

model = dict(
    type=RecurrentFlowLearner,
    flow_estimator=dict(type=HybridFlow, weights=None, iterations=(1, 2)),
    loss=dict(type=FlowSequenceLoss),
)
train_dataloader.dataset.update(
    size=160, length=1_000_000, leaves=0.12, looks=dict(raw=0.75, mapped=0.15, photo=0.1)
)

optim_wrapper = dict(
    type=AutocastOptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-5),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.02, end=100, by_epoch=False),
    dict(type=CosineAnnealingLR, T_max=_iterations, eta_min_ratio=0.01, by_epoch=False),
]
train_cfg = dict(type=IterBasedTrainLoop, max_iters=_iterations, val_interval=1000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

default_hooks.checkpoint.interval = 500
default_hooks.checkpoint.by_epoch = False
log_processor.by_epoch = False
