"""How well a raw patch and a photo patch belong together, whatever their colours.

Four questions that one number cannot answer. *Do they show the same?* The correlation says so, once the raw was given
the photo's colours; but on smooth content it stays high however far the two are apart. *How far are they apart?*
Optical flow says so; but it finds some answer also where there is nothing to go by. *Can it be believed?* Yes, if
fine detail agrees once the flow is taken out. *Everywhere?* An object in front that moved by more than the flow could
follow leaves cells whose detail is another.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch

from rawtoolbox.flow import DISFlow

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
MIN_DETAIL = 0.6  # own choice: on simulated pairs it lies between flow that was right and flow that was not
CELL = 32  # pixels
MAX_UNLIKE = 0.1  # own choice, on simulated frames
DETAIL_WINDOW = 16  # standard deviation of the blur that detail is finer than, pixels
RIDGE = 1e-5  # of the fit of colours, so that a grey patch has a solution


class Agreement(NamedTuple):
    """What `measure` finds.

    Attributes:
        correlation: Normalised cross-correlation of luma after colours were matched, -1 to 1.
        displacement: Mean length of the optical flow, pixels.
        detail: Normalised cross-correlation of fine detail after the flow was taken out, -1 to 1.
        unlike: Share of cells of `CELL` pixels whose photo has detail that the raw has not.
    """

    correlation: float
    displacement: float
    detail: float
    unlike: float = 0.0


def measure(source: np.ndarray, target: np.ndarray) -> Agreement:
    """Compares a raw patch with its photo patch.

    With the usual limits, of 409 simulated patches of 192 and 448 pixels that were off by less than 2 pixels on average
    403 were kept, and all 108 that were off by more than 8 pixels rejected; objects in front were off by 16 to 40
    pixels. (The limits were set on other frames.)

    Args:
        source: (H, W, 3) uint8, the raw developed in any way.
        target: (H, W, 3) uint8.
    """
    source, target = source.astype(np.float32) / 255, target.astype(np.float32) / 255
    mapped = match_colours(source, target)
    flow = estimate_flow(mapped, target)
    y, x = np.mgrid[: flow.shape[1], : flow.shape[2]].astype(np.float32)
    moved = cv2.remap(target, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    details = _detail(mapped), _detail(moved)
    return Agreement(
        # over 4x4 pixels: without the noise, and with two pixels of displacement hardly seen
        correlation(_average(mapped, 4) @ LUMA, _average(target, 4) @ LUMA),
        float(np.hypot(*flow).mean()),
        correlation(*details),
        _share_unlike(*details),
    )


def rejection(agreement: Agreement, min_correlation: float, max_displacement: float) -> str:
    """Why a patch is not kept, in words; empty if it is.

    >>> rejection(Agreement(correlation=0.95, displacement=9.0, detail=0.9), 0.9, 4)
    'displaced by 9.0 pixels (limit 4)'
    """
    if agreement.detail < MIN_DETAIL:
        return f'detail that agrees: {agreement.detail:.2f} (limit {MIN_DETAIL})'
    if agreement.displacement > max_displacement:
        return f'displaced by {agreement.displacement:.1f} pixels (limit {max_displacement:g})'
    if agreement.correlation < min_correlation:
        return f'correlation {agreement.correlation:.3f} (limit {min_correlation:g})'
    if agreement.unlike > MAX_UNLIKE:
        return f'other detail in {agreement.unlike:.0%} of it (limit {MAX_UNLIKE:.0%})'
    return ''


def match_colours(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Gives an image the colours of another by a quadratic of its own, fitted to eighths of both in size.

    So coarse a fit does not mind that the two are some pixels apart. It sees colours alone and no positions: what it
    cannot explain by colour is no agreement.

    Args:
        source: (H, W, 3) float32 in [0, 1].
        target: (H, W, 3) float32 in [0, 1].

    Returns:
        (H, W, 3) float32 in [0, 1].
    """
    size = tuple(max(length // 8, 1) for length in reversed(source.shape[:2]))
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (source, target)]
    terms, wanted = _quadratic(small[0]).astype(np.float64), small[1].reshape(-1, 3).astype(np.float64)
    normal = terms.T @ terms + RIDGE * len(terms) * np.eye(terms.shape[1])
    weights = np.linalg.solve(normal, terms.T @ wanted).astype(np.float32)
    return np.clip(_quadratic(source) @ weights, 0, 1).reshape(source.shape)


def estimate_flow(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2, H, W) from an image to another by DIS; both (H, W, 3) float32 in [0, 1]."""
    images = [
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None] for image in (source, target)
    ]
    return DISFlow()(*images)[0].numpy()


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised cross-correlation (Pearson's) of two arrays of one shape; 0 if one of them is constant."""
    first, second = (values.astype(np.float64) - values.mean(dtype=np.float64) for values in (first, second))
    energy = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / energy if energy > 1e-9 else 0.0


def _average(image: np.ndarray, block: int) -> np.ndarray:
    """Averages of blocks of pixels; what does not fill a block is left out."""
    height, width = (length // block for length in image.shape[:2])
    whole = image[: block * height, : block * width]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _detail(image: np.ndarray) -> np.ndarray:
    """Luma of 2x2 pixels less its blur."""
    luma = _average(image, 2) @ LUMA
    return luma - cv2.GaussianBlur(luma, (0, 0), DETAIL_WINDOW / 2)


def _share_unlike(raw: np.ndarray, photo: np.ndarray) -> float:
    """Share of cells where the photo has detail, more than the typical misfit, that the raw does not have.

    Args:
        raw: (h, w) detail of 2x2 pixels.
        photo: The same, the flow taken out.
    """
    first, second, product, misfit = (
        _average(values, CELL // 2) for values in (raw**2, photo**2, raw * photo, (raw - photo) ** 2)
    )
    similar = product > MIN_DETAIL * np.sqrt(first * second)
    return float(((second > np.median(misfit)) & ~similar).mean())


def _quadratic(image: np.ndarray) -> np.ndarray:
    """(H * W, 10): 1, r, g, b and their products."""
    r, g, b = image.reshape(-1, 3).T
    return np.stack([np.ones_like(r), r, g, b, r * r, g * g, b * b, r * g, g * b, r * b], axis=1)
