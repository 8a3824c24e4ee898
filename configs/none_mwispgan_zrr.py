"""MW-ISPNet on ZRR, perceptual track (Table 1, "MW-ISPNet (GAN)": 21.16 / 22.80 / 23.38 dB).

    python tools/train.py configs/none_mwispgan_zrr.py --cfg-options load_from=mwispnet.safetensors

It starts from the fidelity track's 60th epoch: a run of configs/none_mwispnet_zrr.py, or the official weights taken
over by tools/convert_weights/convert.py.

Published recipe (cszhilu1998/MW-ISPNet, Code_Track2_Perceptual): the fidelity track's losses and 0.1 of LSGAN's, on the
mean of the discriminator's map; Adam at 1e-4, the discriminator's at 2e-4; the 46th epoch was released. The published
code takes the mean over the batch as well, and not half of the discriminator's loss, which Adam does not feel.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.zrr import *

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import Adam

from rawtoolbox.backbones import MWISPNet
from rawtoolbox.engine import GANOptimWrapperConstructor
from rawtoolbox.losses import GANLoss, L1Loss, SSIMLoss, VGGLoss
from rawtoolbox.models import GANRestorer, PatchDiscriminator, RawPreprocessor

model = dict(
    type=GANRestorer,
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
    discriminator=dict(type=PatchDiscriminator),
    gan_loss=dict(type=GANLoss, weight=0.1, spatial_mean=True),
)
load_from = 'work_dirs/none_mwispnet_zrr/epoch_60.pth'

train_dataloader.batch_size = 24
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=46, val_interval=5)
optim_wrapper = dict(
    constructor=GANOptimWrapperConstructor,
    generator=dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-4)),
    discriminator=dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=2e-4)),
)
param_scheduler = dict(type=MultiStepLR, by_epoch=True, milestones=[50, 100, 150, 200], gamma=0.5)
auto_scale_lr = dict(base_batch_size=24, enable=False)
