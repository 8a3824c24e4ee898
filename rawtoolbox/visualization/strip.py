"""Strips: everything about one image side by side, as in the paper's Figure A."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from rawtoolbox.files.images import write_image

HEADER = 22  # rows of the caption above each picture


def to_image(tensor: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8 RGB."""
    return (tensor.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def error_map(
    pred: Tensor, reference: Tensor, mask: Tensor | None = None, full_scale: float = 0.25
) -> np.ndarray:
    """Mean absolute error over the channels in false colour.

    Args:
        pred: (3, H, W) in [0, 1].
        reference: (3, H, W).
        mask: (1, H, W); masked-out pixels are black.
        full_scale: Error shown in the last colour.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    error = (pred.float() - reference.float()).abs().mean(0) / full_scale
    grey = (error.clamp(0, 1) * 255).round().byte().cpu().numpy()
    picture = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1]
    return picture if mask is None else picture * (mask[0, ..., None].cpu().numpy() > 0)


def reference_line(picture: np.ndarray, column: int) -> np.ndarray:
    """Draws the vertical line by which the eye compares positions."""
    marked = np.ascontiguousarray(picture)
    cv2.line(marked, (column, 0), (column, marked.shape[0]), (255, 0, 0), 1)
    return marked


def caption(picture: np.ndarray, text: str) -> np.ndarray:
    """Puts a line of text above a picture."""
    head = np.full((HEADER, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(head, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([head, picture])


def strip(output: dict[str, Any]) -> np.ndarray:
    """Raw, GCM output, prediction, aligned target with its mask, original target and error map.

    Args:
        output: One image's dict of :meth:`RawRestorer.predict <rawtoolbox.models.RawRestorer.predict>`; what it
            lacks is left out.

    Returns:
        (HEADER + H, n * W, 3) uint8 RGB.
    """
    pictures = {
        'raw, demosaicked': output.get('baseline'),
        'GCM output': output.get('mapped'),
        'prediction': output['pred'],
        'aligned target': output.get('aligned_target'),
        'original target': output.get('target'),
    }
    columns = [(text, to_image(image)) for text, image in pictures.items() if image is not None]
    lined = [(text, reference_line(image, image.shape[1] // 2)) for text, image in columns]
    reference = next((output[k] for k in ('exact_target', 'aligned_target', 'target') if k in output), None)
    if reference is not None:
        mask = None if 'exact_target' in output else output.get('aligned_mask')
        lined.append(('error (white: 0.25)', error_map(output['pred'], reference, mask)))
    height = max(image.shape[0] for _, image in lined)
    same = [
        (text, cv2.copyMakeBorder(i, 0, height - i.shape[0], 0, 0, cv2.BORDER_CONSTANT)) for text, i in lined
    ]
    return np.concatenate([caption(image, text) for text, image in same], axis=1)


def write_strip(path: str | Path, output: dict[str, Any]) -> None:
    """Writes :func:`strip` of one image."""
    write_image(path, strip(output))
