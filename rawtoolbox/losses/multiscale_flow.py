"""The loss of optical-flow networks that give a flow at each level of a pyramid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.registry import LOSSES

# By what PWC-Net's weights (Sun et al., CVPR 2018, section 4: 0.32, 0.08, 0.02, 0.01, 0.005 from level 6 to 2), which
# are for sums over pixels, are in proportion when every level's is a mean; the refined flow counts as the last.
PWCNET_WEIGHTS = (0.25, 0.25, 0.25, 0.5, 1.0, 1.0)


def multiscale_flow_error(
    flows: Sequence[Tensor], truth: Tensor, valid: Tensor, weights: Sequence[float] = PWCNET_WEIGHTS
) -> Tensor:
    """Weighted sum of the mean end-point errors of several levels.

    Args:
        flows: Flows in pixels of the full size, (N, 2, h, w), each h and w a divisor of H and W.
        truth: True flow, (N, 2, H, W), in pixels.
        valid: 1 where it is known, (N, 1, H, W).
        weights: Of each level.

    Returns:
        A scalar, in pixels.

    Raises:
        ValueError: Shapes that do not fit, or another number of weights than of flows.
    """
    sizes = check_shape(truth, 'N 2 H W', 'truth')
    check_shape(valid, f'{sizes["N"]} 1 {sizes["H"]} {sizes["W"]}', 'valid')
    if len(flows) != len(weights):
        raise ValueError(f'weights: expected one for each of {len(flows)} flows, found {len(weights)}.')
    valid = valid.to(truth)
    errors = [level_error(flow, truth, valid) for flow in flows]
    return sum(weight * error for weight, error in zip(weights, errors, strict=True))


def level_error(flow: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean distance of one level's flow from the mean of the known true flow in each of its cells."""
    size = flow.shape[-2:]
    share = F.adaptive_avg_pool2d(valid, size)
    wanted = F.adaptive_avg_pool2d(truth * valid, size) / share.clamp(min=1e-6)
    # not vector_norm: its gradient at zero is not a number on every device
    distance = ((flow.float() - wanted).square().sum(1, keepdim=True) + 1e-6).sqrt()
    return (distance * share).sum() / share.sum().clamp(min=1)


@LOSSES.register_module()
class MultiscaleFlowLoss(nn.Module):
    """:func:`multiscale_flow_error`, times a weight.

    Args:
        weight: Factor.
        level_weights: Of each level, coarse to fine.
    """

    def __init__(self, weight: float = 1.0, level_weights: Sequence[float] = PWCNET_WEIGHTS) -> None:
        super().__init__()
        self.weight, self.level_weights = weight, tuple(level_weights)

    def forward(self, flows: Sequence[Tensor], truth: Tensor, valid: Tensor) -> Tensor:
        with torch.autocast(truth.device.type, enabled=False):
            return self.weight * multiscale_flow_error(flows, truth, valid, self.level_weights)
