"""Optical flow: from two images to where the first is found in the second."""

from rawtoolbox.flow.dis import DISFlow
from rawtoolbox.flow.pwcnet import PWCNet

__all__ = ['DISFlow', 'PWCNet']
