"""Aligners: what lines the target up with the raw, and the colour mapper that this needs."""

from rawtoolbox.aligners.base import Aligned
from rawtoolbox.aligners.flow_aligner import FlowAligner
from rawtoolbox.aligners.gcm import GCM
from rawtoolbox.aligners.homography import HomographyAligner
from rawtoolbox.aligners.identity import IdentityAligner

__all__ = ['GCM', 'Aligned', 'FlowAligner', 'HomographyAligner', 'IdentityAligner']
