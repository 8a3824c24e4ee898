"""LiteISPNet trained jointly with GCM on ZRR (Table 1, "Ours"), in the form of the released code.

Paper and released code differ: the released LiteISPNet takes gamma-encoded raw and patch coordinates (9.05 M
parameters), its loss adds 0.15 (1 - SSIM), its perceptual term works on halved images, and losses average over all
pixels with masked ones at zero. Values of the paper are in the comments.

The perceptual loss takes VGG-19's ImageNet weights from $RAWTOOLBOX_WEIGHTS, torch's hub cache or torchvision's
address; failing that VGG-16's; without either, training ends with an error that says where to get them.

The flow is PWC-Net's with the weights that come with this project; with the official ones, as in the paper:
--cfg-options model.aligner.flow_estimator.weights=pretrained. Without a network:
--cfg-options "model.aligner.flow_estimator={'type': 'DISFlow', '_delete_': True}".
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.zrr import *

from rawtoolbox.aligners import GCM, FlowAligner
from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.flow import PWCNet
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
        flow_estimator=dict(
            type=PWCNet, weights='simulated'
        ),  # paper: weights='pretrained', the official ones
        colour_mapper=dict(type=GCM),
        reference='mapped',
        clamp=False,  # official; True keeps what the flow starts from in [0, 1]
    ),
    losses=dict(
        l1=dict(type=L1Loss, weight=1.0),
        perceptual=dict(type=VGGLoss, arch=('vgg19', 'vgg16'), weight=1.0),
        ssim=dict(type=SSIMLoss, weight=0.15),  # paper: none
    ),
)

# 16 patches a step, as in the paper, eight at a time: without batch norm the gradient is the same, in half the memory.
train_dataloader['batch_size'] = 8
optim_wrapper['accumulative_counts'] = 2
auto_scale_lr['base_batch_size'] = (
    8  # what --auto-scale-lr compares: patches of all processes in one iteration
)
