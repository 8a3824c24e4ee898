"""The paper's joint model, narrow, on simulated pairs: minutes on two CPU cores, no download.

The same reader, aligner, losses, metrics and Runner as configs/gcm_liteisp_zrr.py; what is smaller is the network
(width 16, one RCAB per group), the crop and the schedule. The perceptual loss is left out, since its weights would
have to be downloaded.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.demo import *
    from ._base_.runtime import *

from mmengine.optim import OneCycleLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import Adam

from rawtoolbox.aligners import GCM, FlowAligner
from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.flow import DISFlow
from rawtoolbox.losses import L1Loss, SSIMLoss
from rawtoolbox.models import RawPreprocessor, RawRestorer

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(
        type=RawPreprocessor, black_level=63, white_level=1020, crop_size=128, augment='bayer', coord='frame'
    ),
    backbone=dict(type=LiteISPNet, width=16, n_rcab=1),
    aligner=dict(
        type=FlowAligner,
        # OpenCV's DIS on plain luma, which shows what the GCM is for. By default DISFlow looks at local contrast, to
        # which colours matter little: docs/experiments.md has both.
        flow_estimator=dict(type=DISFlow, window=None),
        colour_mapper=dict(type=GCM, width=32),
        reference='mapped',
    ),
    losses=dict(l1=dict(type=L1Loss, weight=1.0), ssim=dict(type=SSIMLoss, weight=0.15)),
)

optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-3), clip_grad=dict(max_norm=1.0))
param_scheduler = dict(
    type=OneCycleLR, eta_max=2e-3, total_steps=30, by_epoch=True, convert_to_iter_based=True
)
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=30, val_interval=15)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
default_hooks.checkpoint.interval = 5
