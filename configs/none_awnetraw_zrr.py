"""AWNet from the packed raw on ZRR (Table 1, "AWNet (raw)": 21.42 / 23.27 / 23.35 dB).

Published recipe (Charlie0215/AWNet-Attentive-Wavelet-Network-for-Image-ISP, loss.py and its training scripts): Adam,
batches of 3, 50 epochs, the learning rate 1e-4, 5e-5, 1e-5, 5e-6 and 1e-6 for ten each; no augmentation. Supervised at
six scales by targets whose pixels are left out: the image by Charbonnier + 0.25 perceptual + 0.05 (1 - SSIM), the next
two by perceptual + 0.25 Charbonnier, the rest by Charbonnier. Perceptual: a third of the squared error of all of
VGG-16's convolutional layers, from images without normalisation.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.zrr import *

from mmengine.optim import MultiStepLR
from mmengine.runner import EpochBasedTrainLoop

from rawtoolbox.backbones import AWNetRaw
from rawtoolbox.losses import CharbonnierLoss, SSIMLoss, VGGMSELoss
from rawtoolbox.models import RawPreprocessor, RawRestorer

_vgg = dict(type=VGGMSELoss, arch='vgg16', layer='relu5_3', pool=True, normalise=False, missing='skip')
_middle = dict(
    charbonnier=dict(type=CharbonnierLoss, weight=0.25, eps=1e-3), perceptual=dict(_vgg, weight=1 / 3)
)
_coarse = dict(charbonnier=dict(type=CharbonnierLoss, eps=1e-3))

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(type=RawPreprocessor, black_level=63, white_level=1020, augment=None),
    backbone=dict(type=AWNetRaw, blocks=(3, 3, 3, 4, 4)),
    losses=dict(
        charbonnier=dict(type=CharbonnierLoss, eps=1e-3),
        perceptual=dict(_vgg, weight=0.25 / 3),
        ssim=dict(type=SSIMLoss, weight=0.05, padding='valid'),
    ),
    head_losses=[_middle, _middle, _coarse, _coarse, _coarse],
    target_resize='nearest',
)

train_dataloader.batch_size = 3
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=50, val_interval=5)
param_scheduler = [
    dict(type=MultiStepLR, by_epoch=True, milestones=[10, 30], gamma=0.5),
    dict(type=MultiStepLR, by_epoch=True, milestones=[20, 40], gamma=0.2),
]

# some parameters exist for the released weights only and never get a gradient
find_unused_parameters = True
