"""LiteISPNet with GCM and an adversarial loss on ZRR (Table 1, "Ours (LiteISPGAN)": 21.28 / 23.47 / 23.56 dB).

The recipe of configs/gcm_liteisp_zrr.py and 0.01 of LSGAN's loss (section 3.4, Eqs. 8 to 10), its discriminator the
PatchGAN of Table C, whose map is 54x54 for 448x448, on the prediction and the aligned target within the mask. Both
optimisers: Adam at 1e-4, halved halfway. Eq. 8 has another factor of one half, which the released code has not.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

from mmengine.optim import OptimWrapper
from torch.optim import Adam

from rawtoolbox.engine import GANOptimWrapperConstructor
from rawtoolbox.losses import GANLoss
from rawtoolbox.models import GANRestorer, PatchDiscriminator

model.update(
    type=GANRestorer,
    discriminator=dict(type=PatchDiscriminator),
    gan_loss=dict(type=GANLoss, form='lsgan', weight=0.01),  # paper: 0.005 in these terms
)
optim_wrapper = dict(
    constructor=GANOptimWrapperConstructor,
    generator=dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999))),
    discriminator=dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999))),
)

# The two optimisers take turns, so that a step cannot be gathered from two halves.
train_dataloader['batch_size'] = 16
auto_scale_lr['base_batch_size'] = 16
