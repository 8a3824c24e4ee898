"""Losses pixel by pixel: L1, squared and Charbonnier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from rawtoolbox.ops.masked import at_least_float32, check_images
from rawtoolbox.registry import LOSSES

Form = Literal['official', 'masked_mean']


def masked_mean(penalty: Tensor, mask: Tensor | None = None, form: Form = 'official') -> Tensor:
    """Mean of a penalty where the mask is 1.

    Args:
        penalty: One value per pixel and channel, (N, C, H, W).
        mask: 1 where the target is valid, (N, 1, H, W); None counts all pixels.
        form: By what the sum is divided. ``'official'``: by the number of all pixels, as in the official code
            (cszhilu1998/RAW-to-sRGB, models/zrrjoint_model.py), so that an image with a small mask weighs
            little; ``'masked_mean'``: by the number of valid ones (0 for an empty mask).

    Returns:
        A scalar.

    Raises:
        ValueError: ``form`` is neither.
    """
    if form not in ('official', 'masked_mean'):
        raise ValueError(f"form: expected 'official' or 'masked_mean', found {form!r}.")
    if mask is None:
        return penalty.mean()
    if form == 'official':
        return (penalty * mask).mean()
    valid = mask.sum() * penalty.shape[1]
    return (penalty * mask).sum() / valid.clamp(min=1)


def masked_l1(pred: Tensor, target: Tensor, mask: Tensor | None = None, form: Form = 'official') -> Tensor:
    """L1 distance where the mask is 1 (Zhang et al., ICCV 2021, first term of Eq. 7).

    Args:
        pred: Prediction, (N, C, H, W).
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W), or None.
        form: See ``masked_mean``.

    Returns:
        A scalar.

    Raises:
        ValueError: A shape or ``form`` does not fit.
    """
    check_images(pred, target, mask)
    return masked_mean((at_least_float32(pred) - target).abs(), mask, form)


def masked_mse(pred: Tensor, target: Tensor, mask: Tensor | None = None, form: Form = 'official') -> Tensor:
    """Squared distance where the mask is 1, as PyNET is trained with.

    Args:
        pred: Prediction, (N, C, H, W).
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W), or None.
        form: See ``masked_mean``.

    Returns:
        A scalar.

    Raises:
        ValueError: A shape or ``form`` does not fit.
    """
    check_images(pred, target, mask)
    return masked_mean((at_least_float32(pred) - target) ** 2, mask, form)


def charbonnier(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, eps: float = 1e-3, form: Form = 'official'
) -> Tensor:
    """Charbonnier distance, ``sqrt(d^2 + eps^2)``: an L1 distance that is smooth at zero.

    From Lai et al., LapSRN, CVPR 2017; AWNet's full-resolution loss has ``eps^2 = 1e-6``.

    Args:
        pred: Prediction, (N, C, H, W).
        target: Target, of the same shape.
        mask: 1 where the target is valid, (N, 1, H, W), or None.
        eps: Difference below which the distance is quadratic.
        form: See ``masked_mean``.

    Returns:
        A scalar.

    Raises:
        ValueError: A shape or ``form`` does not fit.
    """
    check_images(pred, target, mask)
    penalty = torch.sqrt((at_least_float32(pred) - target) ** 2 + eps**2)
    return masked_mean(penalty, mask, form)


@LOSSES.register_module()
class L1Loss(nn.Module):
    """``weight`` times ``masked_l1``.

    Args:
        weight: Factor of the loss.
        form: See ``masked_mean``.
    """

    def __init__(self, weight: float = 1.0, form: Form = 'official') -> None:
        super().__init__()
        self.weight, self.form = weight, form

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * masked_l1(pred, target, mask, self.form)


@LOSSES.register_module()
class MSELoss(nn.Module):
    """``weight`` times ``masked_mse``.

    Args:
        weight: Factor of the loss.
        form: See ``masked_mean``.
    """

    def __init__(self, weight: float = 1.0, form: Form = 'official') -> None:
        super().__init__()
        self.weight, self.form = weight, form

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * masked_mse(pred, target, mask, self.form)


@LOSSES.register_module()
class CharbonnierLoss(nn.Module):
    """``weight`` times ``charbonnier``.

    Args:
        weight: Factor of the loss.
        eps: Difference below which the distance is quadratic.
        form: See ``masked_mean``.
    """

    def __init__(self, weight: float = 1.0, eps: float = 1e-3, form: Form = 'official') -> None:
        super().__init__()
        self.weight, self.eps, self.form = weight, eps, form

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * charbonnier(pred, target, mask, self.eps, self.form)
