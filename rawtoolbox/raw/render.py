"""From a camera's linear RGB to a picture: white balance, highlights, colours, exposure, tone curve, encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from rawtoolbox.ops.colour import linear_to_srgb
from rawtoolbox.ops.constants import constant
from rawtoolbox.ops.highlights import recover_highlights
from rawtoolbox.ops.tone import compress_gamut, compress_highlights
from rawtoolbox.raw.camera_colour import srgb_to_camera_matrix
from rawtoolbox.raw.colour_spaces import Space, xyz_to_rgb
from rawtoolbox.raw.dng_colour import ColourProfile, Illuminant, balanced_to_xyz
from rawtoolbox.raw.frame import Gains, RawFrame

Curve = Literal['neutral', 'srgb', 'linear']

KNEE = 0.7  # of the neutral curve, linear light; a white card of 90% in a well exposed picture is just above
ROWS = 128  # that are rendered at a time, so that what lies between the steps stays in the processor's cache


@dataclass(frozen=True, eq=False)
class CameraColour:
    """What rendering needs to know of a camera in the light of the scene.

    Attributes:
        gains: White balance of R, G, B, any scale.
        to_xyz: (3, 3) white-balanced camera RGB to CIE XYZ under D50, white to white.
        saturation: Linear values at which R, G, B saturate; 1 where the white level is right.
    """

    gains: Gains
    to_xyz: np.ndarray = field(repr=False)
    saturation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for name, values in (('gains', self.gains), ('saturation', self.saturation)):
            if len(values) != 3 or not all(np.isfinite(value) and value > 0 for value in values):
                raise ValueError(f'{name}: expected three positive numbers for R, G, B, found {values}.')

    @property
    def balance(self) -> np.ndarray:
        """(3,) gains of which the channel that saturates first reaches 1: no less, or white would not be white."""
        gains = np.asarray(self.gains, dtype=float)
        balance: np.ndarray = gains / (gains * self.saturation).min()
        return balance

    @property
    def limits(self) -> np.ndarray:
        """(3,) balanced values at which the channels saturate; the least is 1."""
        return self.balance * self.saturation


@dataclass(frozen=True)
class RenderSettings:
    """How a picture is rendered.

    Attributes:
        ev: Exposure in stops.
        space: RGB space of the result.
        curve: ``'neutral'``: a shoulder into the white of the sensor, then the sRGB curve; ``'srgb'``: the sRGB curve
            alone; ``'linear'``: no curve, no encoding.

    Raises:
        ValueError: An argument has none of these values.
    """

    ev: float = 0.0
    space: Space = 'srgb'
    curve: Curve = 'neutral'

    def __post_init__(self) -> None:
        if not np.isfinite(self.ev):
            raise ValueError(f'ev: expected a finite number of stops, found {self.ev}.')
        if self.space not in get_args(Space):
            raise ValueError(f'space: expected one of {", ".join(get_args(Space))}, found {self.space!r}.')
        if self.curve not in get_args(Curve):
            raise ValueError(f'curve: expected one of {", ".join(get_args(Curve))}, found {self.curve!r}.')


def camera_colour(
    profile: ColourProfile, gains: Sequence[float], saturation: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> CameraColour:
    """A camera in the light that its white-balance gains tell of.

    Raises:
        ValueError: The gains are not three positive numbers, or the matrices are unusable.
    """
    neutral = 1 / np.asarray(gains, dtype=float)
    red, green, blue = map(float, gains)
    return CameraColour((red, green, blue), balanced_to_xyz(profile, neutral), saturation)


def frame_colour(frame: RawFrame, gains: Sequence[float] | None = None) -> CameraColour:
    """A frame's camera in the light of its scene; without a matrix, the sensor's colours are taken for sRGB's.

    Args:
        frame: The frame.
        gains: White balance of R, G, B; the frame's own if None.

    Raises:
        ValueError: The gains are not three positive numbers, or the matrix is unusable.
    """
    gains = frame.white_balance if gains is None else gains
    if len(gains) != 3 or not all(np.isfinite(gain) and gain > 0 for gain in gains):
        raise ValueError(f'gains: expected three positive numbers for R, G, B, found {list(gains)}.')
    if frame.profile is not None:
        return camera_colour(frame.profile, gains)
    if frame.xyz_to_camera is None:
        red, green, blue = map(float, gains)
        return CameraColour((red, green, blue), np.linalg.inv(xyz_to_rgb('srgb')))
    srgb_to_camera_matrix(frame.xyz_to_camera)  # its messages say what is wrong
    return camera_colour(ColourProfile((Illuminant(6504.0, frame.xyz_to_camera),)), gains)


@torch.no_grad()
def render(image: Tensor, colour: CameraColour, settings: RenderSettings | None = None) -> Tensor:
    """Renders camera-linear RGB; every pixel by itself, so that tiles give what the whole frame gives.

    Args:
        image: (..., 3, H, W) linear camera RGB without white balance, black at 0, white at 1; any floating type.
        colour: The camera in the light of the scene.
        settings: Exposure, space and curve; the defaults if None.

    Returns:
        (..., 3, H, W) float32 in [0, 1].
    """
    settings = settings or RenderSettings()
    result = torch.empty(image.shape, dtype=torch.float32, device=image.device)
    rows = ROWS if image.device.type == 'cpu' else image.shape[-2]
    for top in range(0, image.shape[-2], rows):
        part = slice(top, top + rows)
        result[..., part, :] = _render_rows(image[..., part, :].float(), colour, settings)
    return result


def _render_rows(image: Tensor, colour: CameraColour, settings: RenderSettings) -> Tensor:
    exposure = 2.0**settings.ev
    balance, limits = constant(colour.balance, image), constant(colour.limits, image)
    matrix = constant(exposure * xyz_to_rgb(settings.space) @ colour.to_xyz, image)
    image = recover_highlights(image.clamp(min=0) * balance[:, None, None], limits)
    image = compress_gamut(torch.einsum('ij,...jhw->...ihw', matrix, image))
    knee = KNEE if settings.curve == 'neutral' else 1.0
    image = compress_highlights(image, knee, max(exposure * float(colour.limits.max()), 1.0))
    image = image.clamp(0, 1)
    return image if settings.curve == 'linear' else linear_to_srgb(image)
