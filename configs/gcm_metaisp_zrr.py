"""MetaISP trained jointly with GCM on ZRR (no row of Table 1; its paper: 23.80 dB, the protocol not stated).

The recipe of configs/gcm_liteisp_zrr.py; how MetaISP's authors trained it is not known, and no code of theirs is.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

from rawtoolbox.backbones import MetaISP

model.backbone = dict(type=MetaISP)
