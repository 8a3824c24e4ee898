"""How far a flow is from the true one, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from rawtoolbox.ops.checks import check_finite, check_shape
from rawtoolbox.registry import METRICS


def endpoint_error(flow: Tensor, truth: Tensor) -> Tensor:
    """Distance at every pixel between where two flows end (Baker et al., IJCV 2011).

    Args:
        flow: Estimated flow, (..., 2, H, W), x then y, in pixels.
        truth: True flow, of the same shape.

    Returns:
        Pixels, (..., H, W), float32 or better.

    Raises:
        ValueError: The shapes differ, or have not two channels.
    """
    if flow.shape != truth.shape or flow.ndim < 3 or flow.shape[-3] != 2:
        raise ValueError(
            'flow, truth: expected two of one shape (..., 2, H, W), '
            f'found {tuple(flow.shape)} and {tuple(truth.shape)}.'
        )
    dtype = torch.promote_types(torch.promote_types(flow.dtype, truth.dtype), torch.float32)
    return torch.linalg.vector_norm(flow.to(dtype) - truth.to(dtype), dim=-3)


def summarise_error(
    error: Tensor, valid: Tensor | None = None, thresholds: Sequence[float] = (1, 3)
) -> dict[str, float]:
    """Statistics of the end-point error of one image.

    Args:
        error: What ``endpoint_error`` gives for an image, (H, W).
        valid: 1 where the true flow is known, (1, H, W), or None for everywhere.
        thresholds: Pixels for the ``above_<t>px`` entries.

    Returns:
        ``epe_mean``, ``epe_median`` and ``epe_above_<t>px`` (shares, 0 to 1); empty when no pixel is valid.

    Raises:
        ValueError: ``valid`` has another shape, or an error at a valid pixel is NaN.
    """
    h, w = check_shape(error, 'H W', 'error').values()
    if valid is not None:
        check_shape(valid, f'1 {h} {w}', 'valid')
        error = error[valid[0].bool()]
    if not error.numel():
        return {}
    check_finite(error, 'error')
    shares = {f'epe_above_{t:g}px': (error > t).double().mean().item() for t in thresholds}
    return {
        'epe_mean': error.double().mean().item(),
        'epe_median': error.double().quantile(0.5).item(),
        **shares,
    }


@METRICS.register_module()
class FlowError(BaseMetric):
    """End-point error of flows whose truth is known, averaged over images; see :func:`summarise_error`."""

    default_prefix = 'flow'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Measures a batch: dicts with ``flow`` and ``true_flow`` (2, H, W), and ``flow_valid`` (1, H, W)."""
        for sample in data_samples:
            error = endpoint_error(sample['flow'], sample['true_flow'])
            self.results.append(summarise_error(error, sample['flow_valid']))

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """The mean of every statistic over the images that have it."""
        names = dict.fromkeys(name for result in results for name in result)
        return {name: float(np.mean([r[name] for r in results if name in r])) for name in names}
