"""Metrics: pure functions per image, and what the Runner calls."""

from rawtoolbox.metrics.flow import FlowError, endpoint_error
from rawtoolbox.metrics.lpips import load_lpips, lpips
from rawtoolbox.metrics.protocols import AlignmentProtocols
from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.metrics.ssim import ssim

__all__ = ['AlignmentProtocols', 'FlowError', 'endpoint_error', 'load_lpips', 'lpips', 'psnr', 'ssim']
