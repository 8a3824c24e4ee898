"""Backbones: one network a file, from a raw (or sRGB) image to an sRGB image."""

from rawtoolbox.backbones.awnet import AWNetDemosaicked, AWNetRaw
from rawtoolbox.backbones.liteispnet import LiteISPNet
from rawtoolbox.backbones.msrresnet import MSRResNet
from rawtoolbox.backbones.mwispnet import MWISPNet
from rawtoolbox.backbones.pynet import PyNET
from rawtoolbox.backbones.rrdbnet import RRDBNet
from rawtoolbox.backbones.spsr import SPSR
from rawtoolbox.backbones.srresnet import SRResNet
from rawtoolbox.backbones.timm_unet import TimmUNet

__all__ = [
    'SPSR',
    'AWNetDemosaicked',
    'AWNetRaw',
    'LiteISPNet',
    'MSRResNet',
    'MWISPNet',
    'PyNET',
    'RRDBNet',
    'SRResNet',
    'TimmUNet',
]
