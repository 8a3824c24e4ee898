"""SRResNet trained jointly with GCM on SR-RAW, scale by scale (Table 2, "Ours": 17.74 / 22.00 / 22.50 dB).

    python tools/train.py configs/gcm_srresnet_srraw.py        # and --resume, within any stage

Recipe of the released scripts: 100 epochs of 1000 batches at 1x, on to 200 at 2x, on to 300 at 4x, each network from
the one before; Adam at 1e-4, 1e-4 and 5e-5, halved in the middle of each stage, where the moments are begun anew
here. GCM and the flow work at the size of the sensor's image; the flow is enlarged for the target (supplement E).
White balance multiplies the output, wb ** (1 / 2.2). In the released code it also multiplies GCM's output; here
GCM is given the white-balanced source, which leaves it less to learn.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.srraw import *

from mmengine.optim import OptimWrapper
from torch.optim import Adam

from rawtoolbox.aligners import GCM, FlowAligner
from rawtoolbox.backbones import SRResNet
from rawtoolbox.engine import LevelHook, LevelTrainLoop
from rawtoolbox.flow import PWCNet
from rawtoolbox.losses import L1Loss, SSIMLoss, VGGLoss
from rawtoolbox.models import RawPreprocessor, RawRestorer

_losses = dict(
    l1=dict(type=L1Loss, weight=1.0),
    perceptual=dict(type=VGGLoss, arch=('vgg19', 'vgg16'), weight=1.0, missing='skip'),
    ssim=dict(type=SSIMLoss, weight=0.15),  # paper: none
)

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(
        type=RawPreprocessor,
        black_level=512,
        white_level=16383,
        augment='bayer',  # released code: 'official', which leaves red one pixel away from the target
        coord='patch',
    ),
    backbone=dict(type=SRResNet, scale=4),
    aligner=dict(
        type=FlowAligner,
        flow_estimator=dict(
            type=PWCNet, weights='simulated'
        ),  # paper: weights='pretrained', the official ones
        colour_mapper=dict(type=GCM),
        reference='mapped',
        resize='official',  # with aligned corners, unfiltered, soft masks; or 'antialiased'
        clamp=False,  # official; True keeps what the flow starts from in [0, 1]
    ),
    losses=_losses,
    target_resize='official',
)

train_cfg = dict(
    type=LevelTrainLoop,
    levels=[  # level 2 is SRResNet without its last two enlargements, 1x
        dict(level=2, epochs=50, batch_size=16, lr=1e-4, losses=_losses),
        dict(level=2, epochs=50, batch_size=16, lr=5e-5, losses=_losses),
        dict(level=1, epochs=50, batch_size=16, lr=1e-4, losses=_losses),
        dict(level=1, epochs=50, batch_size=16, lr=5e-5, losses=_losses),
        dict(level=0, epochs=50, batch_size=16, lr=5e-5, losses=_losses),
        dict(level=0, epochs=50, batch_size=16, lr=2.5e-5, losses=_losses),
    ],
    val_interval=5,
)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999)))
param_scheduler = None
default_hooks.checkpoint.save_param_scheduler = False
custom_hooks.append(dict(type=LevelHook))

# a small scale leaves the further enlargements without gradient
model_wrapper_cfg = dict(
    type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=True
)
