"""MW-ISPNet on ZRR, fidelity track (Table 1, "MW-ISPNet": 21.42 / 23.07 / 23.31 dB).

Published recipe (cszhilu1998/MW-ISPNet, Code_Track1_Fidelity): Adam at 1e-4, halved at 50, 100, 150 and 200 of at most
300 epochs, of which the 60th was released; batches of 24; L1, as much of VGG-19's relu5_4 at full size, and
0.15 (1 - MS-SSIM), where the official code's `MSSSIM` is SSIM at one scale, padded with zeros. The challenge's own
denoiser is not part of the network.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.zrr import *

from mmengine.optim import MultiStepLR
from mmengine.runner import EpochBasedTrainLoop

from rawtoolbox.backbones import MWISPNet
from rawtoolbox.losses import L1Loss, SSIMLoss, VGGLoss
from rawtoolbox.models import RawPreprocessor, RawRestorer

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(
        type=RawPreprocessor,
        black_level=63,
        white_level=1020,
        augment='bayer',  # published code: 'official', which leaves red one pixel away from the target
    ),
    backbone=dict(type=MWISPNet),
    losses=dict(
        l1=dict(type=L1Loss),
        perceptual=dict(type=VGGLoss, arch=('vgg19', 'vgg16'), form='paper', missing='skip'),  # at full size
        ssim=dict(type=SSIMLoss, weight=0.15),  # official; as published: MSSSIMLoss
    ),
)

train_dataloader.batch_size = 24
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=60, val_interval=5)
param_scheduler = dict(type=MultiStepLR, by_epoch=True, milestones=[50, 100, 150, 200], gamma=0.5)
auto_scale_lr = dict(base_batch_size=24, enable=False)
