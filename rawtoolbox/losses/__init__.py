"""Losses: pure functions, and thin registered classes that multiply by a weight."""

from rawtoolbox.losses.perceptual import VGGLoss
from rawtoolbox.losses.pixel import CharbonnierLoss, L1Loss, charbonnier, masked_l1
from rawtoolbox.losses.ssim import SSIMLoss, ssim

__all__ = ['CharbonnierLoss', 'L1Loss', 'SSIMLoss', 'VGGLoss', 'charbonnier', 'masked_l1', 'ssim']
