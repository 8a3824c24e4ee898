"""How far a flow is from the true one, in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rawtoolbox.ops.checks import check_finite, check_shape


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
