"""Transfer curves, luminance, exposure and colour matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from rawtoolbox.ops.checks import check_shape

REC709_LUMINANCE = (0.2126, 0.7152, 0.0722)


def srgb_to_linear(image: Tensor) -> Tensor:
    """Inverse of the sRGB transfer curve (IEC 61966-2-1), from [0, 1] to [0, 1]; linear below zero."""
    # Each branch of where() is kept finite, or its gradient would be NaN where it is not taken.
    power = ((image.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(image <= 0.04045, image / 12.92, power)


def linear_to_srgb(image: Tensor) -> Tensor:
    """The sRGB transfer curve (IEC 61966-2-1), from [0, 1] to [0, 1]; linear below zero."""
    power = 1.055 * image.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(image <= 0.0031308, image * 12.92, power)


def gamma_encode(image: Tensor, gamma: float = 2.2, eps: float = 1e-6) -> Tensor:
    """``image ** (1 / gamma)`` with a finite slope at black; values below zero become zero.

    The official code raises to 1/2.2, whose slope at 0 is infinite. Below ``eps`` (a fraction of the step of
    a 14-bit sensor) the curve is a straight line instead; 0 stays 0, so sensor data are encoded the same.

    Args:
        image: Linear values of any shape; above 1 is allowed.
        gamma: Exponent of the display.
        eps: Where the line meets the curve.
    """
    image = image.clamp(min=0)
    line = image * eps ** (1 / gamma - 1)
    return torch.where(image < eps, line, image.clamp(min=eps) ** (1 / gamma))


def luminance(image: Tensor) -> Tensor:
    """Rec. 709 luminance of linear RGB (luma of gamma-encoded RGB): (N, 3, H, W) to (N, 1, H, W)."""
    check_shape(image, 'N 3 H W', 'image')
    red, green, blue = image.split(1, dim=1)
    weights = REC709_LUMINANCE
    return weights[0] * red + weights[1] * green + weights[2] * blue


def match_exposure(image: Tensor, reference: Tensor, eps: float = 1e-6) -> Tensor:
    """Multiplies each image by one number so that its mean becomes that of its reference.

    Args:
        image: (N, C, H, W), not negative on average.
        reference: (N, C', H', W'), of any size.
        eps: Least mean of ``image`` that is divided by, so that a black image stays finite.

    Returns:
        (N, C, H, W).
    """
    check_shape(image, 'N _ _ _', 'image')
    check_shape(reference, f'{len(image)} _ _ _', 'reference')
    means = [batch.mean(dim=(1, 2, 3), keepdim=True) for batch in (image, reference)]
    return image * (means[1] / means[0].clamp(min=eps))


def apply_matrix(image: Tensor, matrix: Tensor) -> Tensor:
    """Multiplies each pixel's colour, as a column vector, by a matrix.

    Args:
        image: (N, 3, H, W).
        matrix: (3, 3), or (N, 3, 3) for one each.

    Raises:
        ValueError: Wrong shape.
    """
    sizes = check_shape(image, 'N 3 H W', 'image')
    check_shape(matrix, '3 3' if matrix.ndim == 2 else f'{sizes["N"]} 3 3', 'matrix')
    return torch.einsum('...ij,...jhw->...ihw', matrix.to(image), image)


def to_uint8(image: Tensor) -> Tensor:
    """8-bit values of an image in [0, 1]: times 255, rounded half to even, clipped to [0, 255]."""
    return (image * 255).round().clamp(0, 255).to(torch.uint8)
