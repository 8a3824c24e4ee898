"""Optical flow: from two images to where the first is found in the second."""

from rawtoolbox.flow.dis import DISFlow
from rawtoolbox.flow.hybrid import HybridFlow
from rawtoolbox.flow.ptl import PtlFlow
from rawtoolbox.flow.pwcnet import PWCNet
from rawtoolbox.flow.raft import RAFT
from rawtoolbox.flow.refined import RefinedFlow

__all__ = ['RAFT', 'DISFlow', 'HybridFlow', 'PWCNet', 'PtlFlow', 'RefinedFlow']
