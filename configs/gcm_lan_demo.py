"""The demo with LAN: all else as in configs/gcm_liteisp_demo.py."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

from rawtoolbox.backbones import LAN

model.backbone = dict(type=LAN)
