"""SRResNet with GCM and an adversarial loss on SR-RAW (Table 2, "Ours (GAN)": 17.71 / 22.10 / 22.59 dB).

Goes on from the trained run of configs/gcm_srresnet_srraw.py at 4x, with 0.01 of LSGAN's loss and the PatchGAN of
LiteISPGAN. The paper does not say how this row was trained and nothing of it was released: the schedule is ours.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_srresnet_srraw import *

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import Adam

from rawtoolbox.engine import GANOptimWrapperConstructor
from rawtoolbox.losses import GANLoss
from rawtoolbox.models import GANRestorer, PatchDiscriminator

model.update(
    type=GANRestorer,
    discriminator=dict(type=PatchDiscriminator),
    gan_loss=dict(type=GANLoss, form='lsgan', weight=0.01),
)
load_from = 'work_dirs/gcm_srresnet_srraw/epoch_300.pth'

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=5)
optim_wrapper = dict(
    constructor=GANOptimWrapperConstructor,
    generator=dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=5e-5, betas=(0.9, 0.999))),
    discriminator=dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=5e-5, betas=(0.9, 0.999))),
)
param_scheduler = dict(type=MultiStepLR, by_epoch=True, milestones=[50], gamma=0.5)
default_hooks.checkpoint.save_param_scheduler = True
