"""The demo with SYENet: all else as in configs/gcm_liteisp_demo.py."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

from rawtoolbox.backbones import SYENet

model.backbone = dict(type=SYENet)
