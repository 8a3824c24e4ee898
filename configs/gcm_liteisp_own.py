"""Fine-tunes LiteISPNet on pairs of your own camera: a folder that tools/prepare_data/pairs.py made.

    python tools/train.py configs/gcm_liteisp_own.py --cfg-options data_root=data/own load_from=liteisp_zrr.safetensors

Set the levels and the bit depth to what pairs.py printed. load_from is a published backbone, whose aligner is then
trained from scratch beside it, or a checkpoint of a training run; without it the network begins untrained. docs/
train_on_your_own_camera.md goes through all of it.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *

from mmengine.dataset import DefaultSampler
from mmengine.optim import OneCycleLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import Adam

from rawtoolbox.aligners import GCM, FlowAligner
from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.flow import DISFlow
from rawtoolbox.losses import L1Loss, SSIMLoss, VGGLoss
from rawtoolbox.metrics import AlignmentProtocols
from rawtoolbox.models import RawPreprocessor, RawRestorer

data_root = 'data/own'
_bit_depth = 10

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=ZRRDataset, split='train', bit_depth=_bit_depth),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type=ZRRDataset, split='test', bit_depth=_bit_depth),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=AlignmentProtocols, protocols=('original', 'align_raw'), metrics=('psnr',))
test_evaluator = dict(type=AlignmentProtocols, out_dir=None)

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(
        type=RawPreprocessor,
        black_level=63,
        white_level=1020,
        crop_size=224,
        augment='bayer',
        coord='patch',  # as the network to start from was trained; from scratch 'frame' knows the vignetting
    ),
    backbone=dict(type=LiteISPNet),
    aligner=dict(
        type=FlowAligner,
        flow_estimator=dict(type=DISFlow),
        colour_mapper=dict(type=GCM),
        reference='mapped',
    ),
    losses=dict(
        l1=dict(type=L1Loss, weight=1.0),
        perceptual=dict(type=VGGLoss, arch=('vgg19', 'vgg16'), weight=1.0, missing='skip'),
        ssim=dict(type=SSIMLoss, weight=0.15),
    ),
)

# Own choice: a warm-up, since the aligner's colours are wrong at first, then down to nothing.
optim_wrapper = dict(
    type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999)), clip_grad=dict(max_norm=1.0)
)
param_scheduler = dict(
    type=OneCycleLR, eta_max=1e-4, total_steps=40, by_epoch=True, convert_to_iter_based=True
)
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=40, val_interval=5)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
default_hooks.checkpoint.interval = 5
