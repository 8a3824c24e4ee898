"""Backbones: one network a file, from a raw (or sRGB) image to an sRGB image."""

from rawtoolbox.backbones.awnet import AWNetDemosaicked, AWNetRaw
from rawtoolbox.backbones.develop_unet import DevelopUNet
from rawtoolbox.backbones.lan import LAN
from rawtoolbox.backbones.liteispnet import LiteISPNet
from rawtoolbox.backbones.metaisp import MetaISP
from rawtoolbox.backbones.msrresnet import MSRResNet
from rawtoolbox.backbones.mwispnet import MWISPNet
from rawtoolbox.backbones.pynet import PyNET
from rawtoolbox.backbones.rrdbnet import RRDBNet
from rawtoolbox.backbones.spsr import SPSR
from rawtoolbox.backbones.srresnet import SRResNet
from rawtoolbox.backbones.syenet import SYENet
from rawtoolbox.backbones.timm_unet import TimmUNet

__all__ = [
    'LAN',
    'SPSR',
    'AWNetDemosaicked',
    'AWNetRaw',
    'DevelopUNet',
    'LiteISPNet',
    'MSRResNet',
    'MWISPNet',
    'MetaISP',
    'PyNET',
    'RRDBNet',
    'SRResNet',
    'SYENet',
    'TimmUNet',
]
