"""How strong a mosaic's noise is, estimated from the mosaic itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16  # samples of a colour plane along one side
BINS = 16
LOW = 0.15  # quantile of the blocks' variances: blocks with texture lie above
BIAS = 0.832  # that quantile over the variance, for white noise (measured on a mosaic of 2048x2048)
BRIGHTEST = 0.85  # blocks beyond may be clipped


def estimate_noise(mosaic: Tensor) -> Tensor:
    """Variances of shot noise at white and of read noise: a line through the flattest blocks of every brightness.

    The noise of a block is what a second difference in both directions leaves (Immerkaer, *Fast Noise Variance
    Estimation*, CVIU 1996).

    Args:
        mosaic: Black = 0, white = 1, noise below black kept, (N, 1, H, W); at least 64x64.

    Returns:
        (N, 2).
    """
    return torch.stack([_estimate(planes) for planes in F.pixel_unshuffle(mosaic.float(), 2)])


def _estimate(planes: Tensor) -> Tensor:
    """(2,) of the four planes (4, h, w) of a mosaic."""
    difference = planes.new_tensor([1.0, -2.0, 1.0])
    kernel = torch.outer(difference, difference)[None, None] / 6
    residual = F.conv2d(planes[:, None], kernel)
    variance = F.avg_pool2d(residual.square(), BLOCK).flatten()
    centre = planes[:, None, 1:-1, 1:-1]
    mean, brightest = F.avg_pool2d(centre, BLOCK).flatten(), F.max_pool2d(centre, BLOCK).flatten()
    used = (mean < BRIGHTEST) & (brightest < 0.99)
    if used.sum() < BINS:
        return planes.new_zeros(2)
    order = mean[used].argsort()
    parts = zip(mean[used][order].chunk(BINS), variance[used][order].chunk(BINS), strict=True)
    points = torch.stack([torch.stack([m.mean(), v.quantile(LOW) / BIAS]) for m, v in parts]).double()
    return _line(points[:, 0], points[:, 1]).to(planes)


def _line(x: Tensor, y: Tensor) -> Tensor:
    """Slope and intercept, neither negative, by least squares of the relative error."""
    weight = 1 / y.clamp(min=1e-9)
    columns = torch.stack([x, torch.ones_like(x)], 1) * weight[:, None]
    wanted = (y * weight)[:, None]
    both = torch.linalg.lstsq(columns, wanted).solution[:, 0]
    if (both >= 0).all():
        return both
    alone = [torch.linalg.lstsq(columns[:, i : i + 1], wanted).solution[0, 0].clamp(min=0) for i in (0, 1)]
    error = [(columns[:, i] * value - wanted[:, 0]).square().sum() for i, value in enumerate(alone)]
    best = int(error[1] < error[0])
    return torch.stack([alone[0] * (1 - best), alone[1] * best])
