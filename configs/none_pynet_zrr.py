"""PyNET on ZRR, its levels 5 to 0 in one run (Table 1, "PyNet": 21.19 / 22.73 / 22.97 dB).

    python tools/train.py configs/none_pynet_zrr.py            # and --resume, within any level

Published recipe (README and train_model.py of aiff22/PyNET-PyTorch): Adam at 5e-5, constant, begun anew at every level;
levels 5 and 4 with the squared error, 3 to 1 with 10 times that and VGG-19's relu5_4, 0 with both once and
0.4 (1 - MS-SSIM); targets reduced bilinearly; no augmentation. Batches are those of four GPUs together.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.zrr import *

from mmengine.optim import OptimWrapper
from torch.optim import Adam

from rawtoolbox.backbones import PyNET
from rawtoolbox.engine import LevelHook, LevelTrainLoop
from rawtoolbox.losses import MSELoss, MSSSIMLoss, VGGMSELoss
from rawtoolbox.models import RawPreprocessor, RawRestorer

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(type=RawPreprocessor, black_level=63, white_level=1020, augment=None),
    backbone=dict(type=PyNET),
    target_resize='bilinear',
)

_vgg = dict(type=VGGMSELoss, arch=('vgg19', 'vgg16'), layer='relu5_4', missing='skip')
_coarse = dict(mse=dict(type=MSELoss))
_middle = dict(mse=dict(type=MSELoss, weight=10.0), perceptual=_vgg)
_fine = dict(
    mse=dict(type=MSELoss),
    perceptual=_vgg,
    ms_ssim=dict(type=MSSSIMLoss, weight=0.4, means='batch'),  # official; as the metric is defined: 'image'
)

train_cfg = dict(
    type=LevelTrainLoop,
    levels=[
        dict(level=5, epochs=8, batch_size=50, lr=5e-5, losses=_coarse),
        dict(level=4, epochs=8, batch_size=50, lr=5e-5, losses=_coarse),
        dict(level=3, epochs=17, batch_size=50, lr=5e-5, losses=_middle),
        dict(level=2, epochs=17, batch_size=50, lr=5e-5, losses=_middle),
        dict(level=1, epochs=25, batch_size=16, lr=5e-5, losses=_middle),
        dict(level=0, epochs=50, batch_size=12, lr=5e-5, losses=_fine),
    ],
    val_interval=5,
)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=5e-5))
param_scheduler = None
default_hooks.checkpoint.save_param_scheduler = False
custom_hooks.append(dict(type=LevelHook))

# a coarse level leaves the finer ones without gradient
find_unused_parameters = True
