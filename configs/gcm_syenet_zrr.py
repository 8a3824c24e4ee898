"""SYENet trained jointly with GCM on ZRR (no row of Table 1; its paper has another data set).

The recipe of configs/gcm_liteisp_zrr.py, sixteen patches at a time, since batch normalisation looks at them.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

from rawtoolbox.backbones import SYENet

model.backbone = dict(type=SYENet)
train_dataloader['batch_size'] = 16
optim_wrapper['accumulative_counts'] = 1
auto_scale_lr['base_batch_size'] = 16
