"""The loss of recurrent flow networks that say how far they may be off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rawtoolbox.losses.multiscale_flow import level_error
from rawtoolbox.ops.checks import check_shape
from rawtoolbox.registry import LOSSES


def scale_nll(error: Tensor, log_scale: Tensor, valid: Tensor) -> Tensor:
    """Negative log likelihood of a distance under an exponential distribution, up to a constant.

    Args:
        error: Distance from the truth in pixels, (N, 1, H, W).
        log_scale: Logarithm of the distance that was expected, (N, 1, H, W).
        valid: 1 where the truth is known, (N, 1, H, W).

    Returns:
        The mean of ``log_scale + error / exp(log_scale)`` over valid positions; least where both are equal.
    """
    log_scale = log_scale.clamp(-5, 5)
    return ((log_scale + error * (-log_scale).exp()) * valid).sum() / valid.sum().clamp(min=1)


@LOSSES.register_module()
class FlowSequenceLoss(nn.Module):
    """Mean end-point errors of all iterations, later ones weighted more, and the likelihood of the last one's error.

    Weights decay as in RAFT (Teed and Deng, ECCV 2020, section 3.4). The likelihood teaches the scale only: its
    gradient does not reach the flow.

    Args:
        decay: Factor on the weight from an iteration to the one before it; the last one's is 1.
        scale_weight: Of the likelihood.
    """

    def __init__(self, decay: float = 0.7, scale_weight: float = 0.2) -> None:
        super().__init__()
        self.decay, self.scale_weight = decay, scale_weight

    def forward(self, flows: Sequence[Tensor], log_scale: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
        """The loss.

        Args:
            flows: In pixels of the full size, (N, 2, h, w); the last (N, 2, H, W).
            log_scale: (N, 1, H, W).
            truth: (N, 2, H, W) in pixels.
            valid: 1 where it is known, (N, 1, H, W).

        Raises:
            ValueError: Shapes that do not fit.
        """
        sizes = check_shape(truth, 'N 2 H W', 'truth')
        check_shape(log_scale, f'{sizes["N"]} 1 {sizes["H"]} {sizes["W"]}', 'log_scale')
        valid = valid.to(truth)
        with torch.autocast(truth.device.type, enabled=False):
            weights = [self.decay ** (len(flows) - 1 - index) for index in range(len(flows))]
            errors = [level_error(flow, truth, valid) for flow in flows]
            distance = (flows[-1] - truth).square().sum(1, keepdim=True).sqrt().detach()
            total = sum(weight * error for weight, error in zip(weights, errors, strict=True))
            return total + self.scale_weight * scale_nll(distance, log_scale, valid)
