"""LAN trained jointly with GCM on ZRR (no row of Table 1; its paper has other protocols).

The recipe of configs/gcm_liteisp_zrr.py.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

from rawtoolbox.backbones import LAN

model.backbone = dict(type=LAN)
