"""LiteISPNet trained jointly with GCM on ZRR (Table 1, "Ours"), in the form of the released code.

Paper and released code differ: the released LiteISPNet takes gamma-encoded raw and patch coordinates (9.05 M
parameters), its loss adds 0.15 (1 - SSIM), its perceptual term works on halved images, and losses average over all
pixels with masked ones at zero. Values of the paper are in the comments.

The perceptual loss takes VGG-19's ImageNet weights from $RAWTOOLBOX_WEIGHTS, torch's hub cache or torchvision's
address; failing that VGG-16's; failing that it is left out, and the log says so. missing='error' refuses instead.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.zrr import *

from rawtoolbox.aligners import GCM, FlowAligner
from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.flow import DISFlow
from rawtoolbox.losses import L1Loss, SSIMLoss, VGGLoss
from rawtoolbox.models import RawPreprocessor, RawRestorer

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(
        type=RawPreprocessor,
        black_level=63,
        white_level=1020,
        augment='bayer',  # released code: 'official', which leaves red one pixel away from the target
        coord='patch',  # paper: 'frame', for data sets that know a patch's place
    ),
    backbone=dict(type=LiteISPNet),
    aligner=dict(
        type=FlowAligner,
        flow_estimator=dict(type=DISFlow),  # needs no weights; paper: PWCNet with its official weights
        colour_mapper=dict(type=GCM),
        reference='mapped',
    ),
    losses=dict(
        l1=dict(type=L1Loss, weight=1.0),
        perceptual=dict(type=VGGLoss, arch=('vgg19', 'vgg16'), weight=1.0, missing='skip'),
        ssim=dict(type=SSIMLoss, weight=0.15),  # paper: none
    ),
)

# 16 patches a step, as in the paper, eight at a time: without batch norm the gradient is the same, in half the memory.
train_dataloader['batch_size'] = 8
optim_wrapper['accumulative_counts'] = 2
auto_scale_lr['base_batch_size'] = (
    8  # what --auto-scale-lr compares: patches of all processes in one iteration
)
