"""What aligners do to one pair: a row an aligner, as in the paper's Figures A and C."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from torch import Tensor

from rawtoolbox.aligners import Aligned
from rawtoolbox.ops.colour import gamma_encode, luminance
from rawtoolbox.visualization.flow_color import flow_to_color
from rawtoolbox.visualization.strip import caption, reference_line, to_image

ERROR_SCALE = 2.0  # pixels of end-point error shown in the last colour
RATIO_SCALE = 1.0  # octaves of illumination on either side of equal
UNUSED = 235  # grey of a column that an aligner does not have


def alignment_figure(
    source: Tensor, target: Tensor, flow: Tensor, valid: Tensor, results: Mapping[str, Aligned]
) -> np.ndarray:
    """Raw, colour mapper's output, target, warped target with the reference line, flow and its error.

    Args:
        source: Demosaicked raw, linear, (3, H, W).
        target: (3, H, W) in [0, 1].
        flow: True flow, (2, H, W) in pixels; it sets the scale of the flow's colours.
        valid: 1 where it is known, (1, H, W).
        results: What aligners made of the pair, by name; of a batch of one.

    Returns:
        (rows * (header + H), 6 W, 3) uint8 RGB.
    """
    scale = max(flow.norm(dim=0).max().item(), 1.0)
    rows = []
    for name, aligned in results.items():
        found = torch.zeros_like(flow) if aligned.flow is None else aligned.flow[0].float()
        mapped = None if aligned.mapped is None else to_image(aligned.mapped[0])
        pictures = {
            f'raw ({name})': reference(to_image(gamma_encode(source))),
            'GCM output': np.full((*flow.shape[1:], 3), UNUSED, np.uint8)
            if mapped is None
            else reference(mapped),
            'target': reference(to_image(target)),
            'warped target': reference(to_image(aligned.target[0])),
            f'flow (saturated: {scale:.0f} px)': flow_to_color(found.numpy(), scale),
            f'end-point error (white: {ERROR_SCALE:g} px)': endpoint_picture(found, flow, valid),
        }
        rows.append(np.concatenate([caption(picture, text) for text, picture in pictures.items()], axis=1))
    return np.concatenate(rows)


def reference(picture: np.ndarray) -> np.ndarray:
    """With the vertical line in the middle by which the eye compares positions."""
    return reference_line(picture, picture.shape[1] // 2)


def endpoint_picture(flow: Tensor, truth: Tensor, valid: Tensor) -> np.ndarray:
    """The end-point error in false colour, (H, W, 3) uint8 RGB; black where the truth is not known."""
    error = ((flow - truth).norm(dim=0) / ERROR_SCALE).clamp(0, 1) * valid[0]
    grey = (error * 255).round().byte().numpy()
    return cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1] * (valid[0, ..., None].numpy() > 0)


def illumination(image: Tensor, window: float = 8.0) -> np.ndarray:
    """log2 of an image's light, smoothed, (H, W) float32.

    Args:
        image: (1, 3, H, W), gamma-encoded.
        window: Standard deviation of the smoothing in pixels: what is left is light, not detail.
    """
    light = luminance(image.clamp(0, 1) ** 2.2)[0, 0].cpu().numpy()
    return np.log2(cv2.GaussianBlur(light, (0, 0), window) + 1e-3)


def illumination_ratio(image: Tensor, target: Tensor) -> np.ndarray:
    """log2 of how much brighter an image is than its target, both (1, 3, H, W), smoothed; (H, W) float32."""
    return illumination(image) - illumination(target)


def illumination_figure(raw: Tensor, mapped: Mapping[str, Tensor], target: Tensor) -> np.ndarray:
    """Outputs of colour mappers, and below each the ratio of its illumination to the target's (Figure C).

    Args:
        raw: Demosaicked raw, linear, (1, 3, H, W).
        mapped: Outputs by name, (1, 3, H, W) each.
        target: The exactly aligned target, (1, 3, H, W).

    Returns:
        (2 (header + H), (n + 2) W, 3) uint8 RGB. The ratio is white where equal, red where brighter and blue
        where darker, saturated at a factor of two.
    """
    images = {'raw': gamma_encode(raw), **mapped, 'target': target}
    upper = [caption(to_image(image[0]), name) for name, image in images.items()]
    lower = [
        caption(diverging(illumination_ratio(image, target) / RATIO_SCALE), f'{name} / target')
        for name, image in images.items()
    ]
    return np.concatenate([np.concatenate(upper, axis=1), np.concatenate(lower, axis=1)])


def diverging(values: np.ndarray) -> np.ndarray:
    """[-1, 1] as blue, white and red, (H, W, 3) uint8."""
    values = np.clip(values, -1, 1)[..., None]
    ends = np.where(values > 0, [178, 24, 43], [33, 102, 172])
    return np.round(255 + np.abs(values) * (ends - 255)).astype(np.uint8)
