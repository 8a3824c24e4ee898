"""Losses: pure functions, and thin registered classes that multiply by a weight."""

from rawtoolbox.losses.cobi import CoBiLoss
from rawtoolbox.losses.contextual import ContextualLoss, contextual
from rawtoolbox.losses.feature_mse import VGGMSELoss
from rawtoolbox.losses.flow_sequence import FlowSequenceLoss
from rawtoolbox.losses.gan import GANLoss, adversarial, discriminator_loss, generator_loss
from rawtoolbox.losses.gradient import GradientBranchLoss, GradientLoss, gradient_distance, gradient_map
from rawtoolbox.losses.ms_ssim import MSSSIMLoss, ms_ssim
from rawtoolbox.losses.multiscale_flow import MultiscaleFlowLoss, multiscale_flow_error
from rawtoolbox.losses.perceptual import VGGLoss
from rawtoolbox.losses.pixel import CharbonnierLoss, L1Loss, MSELoss, charbonnier, masked_l1, masked_mse
from rawtoolbox.losses.sliced_wasserstein import LOSWLoss, local_sliced_wasserstein
from rawtoolbox.losses.ssim import SSIMLoss, ssim

__all__ = [
    'CharbonnierLoss',
    'CoBiLoss',
    'ContextualLoss',
    'FlowSequenceLoss',
    'GANLoss',
    'GradientBranchLoss',
    'GradientLoss',
    'L1Loss',
    'LOSWLoss',
    'MSELoss',
    'MSSSIMLoss',
    'MultiscaleFlowLoss',
    'SSIMLoss',
    'VGGLoss',
    'VGGMSELoss',
    'adversarial',
    'charbonnier',
    'contextual',
    'discriminator_loss',
    'generator_loss',
    'gradient_distance',
    'gradient_map',
    'local_sliced_wasserstein',
    'masked_l1',
    'masked_mse',
    'ms_ssim',
    'multiscale_flow_error',
    'ssim',
]
