"""A network that develops any camera's raw, trained on simulated raws of a folder of photographs.

`tools/train.py configs/none_developunet_photographs.py --cfg-options train_dataloader.dataset.photographs=FOLDER`
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import EMAHook
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop
from torch.optim import AdamW

from rawtoolbox.backbones import DevelopUNet
from rawtoolbox.datasets import PhotographRawDataset
from rawtoolbox.engine.optim import AutocastOptimWrapper
from rawtoolbox.models import RawDeveloper

_iterations = 2400

model = dict(type=RawDeveloper, backbone=dict(type=DevelopUNet))

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=PhotographRawDataset, photographs='data/photographs', split='train', size=80),
)
optim_wrapper = dict(
    type=AutocastOptimWrapper,
    optimizer=dict(type=AdamW, lr=1.5e-3, betas=(0.9, 0.99), weight_decay=1e-5),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.02, end=50, by_epoch=False),
    dict(type=CosineAnnealingLR, T_max=_iterations, eta_min_ratio=0.01, by_epoch=False),
]
train_cfg = dict(type=IterBasedTrainLoop, max_iters=_iterations)

custom_hooks += [dict(type=EMAHook, momentum=0.005)]
default_hooks.checkpoint.interval = 250
default_hooks.checkpoint.by_epoch = False
log_processor.by_epoch = False
