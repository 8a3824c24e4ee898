"""Metrics: pure functions per image, and what the Runner calls."""

from rawtoolbox.metrics.lpips import load_lpips, lpips
from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.metrics.ssim import ssim

__all__ = ['load_lpips', 'lpips', 'psnr', 'ssim']
