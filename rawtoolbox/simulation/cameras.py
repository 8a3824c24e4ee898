"""Two simulated cameras: a phone that writes a raw mosaic, and a DSLR that writes a photo.

Both look at a scene in linear light, (H, W, 3) float32 with sRGB primaries. The phone follows Brooks et al.,
*Unprocessing Images for Learned Raw Denoising*, CVPR 2019 (reference code: google-research, unprocessing),
but has one fixed colour matrix, and vignetting and optical blur besides. The DSLR has one fixed rendering.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rawtoolbox.raw.camera import Camera
from rawtoolbox.raw.camera_colour import SRGB_TO_XYZ

# The first of the four cameras in the reference code of Brooks et al. (unprocess.py).
XYZ_TO_PHONE = np.array([[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]])
LUMA = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709


@dataclass(frozen=True)
class SimulationConfig:
    """What a set of simulated pairs depends on. The same configuration gives the same bytes.

    Attributes:
        seed: Of everything that is drawn. What is drawn for a scene depends on the seed, the photograph's
            name and the scene's number alone, so ``max_displacement`` (up to 20), ``noise`` and
            ``colour_strength`` can be varied with all else equal.
        patch_size: Height and width of a patch in pixels, even. Zurich RAW to RGB (ZRR): 448.
        max_displacement: Largest displacement between the cameras in pixels; the mean is about half of it.
            0 to about 20 look natural. Own choice: pairs matched by key points are off by some pixels.
        noise: Variance of the shot noise at the white level, the white level being 1; 0 for no noise. Brooks
            et al. draw 1e-4 to 1.2e-2; the read noise follows from it by their relation.
        colour_strength: 0: the phone's channels are those of sRGB under a neutral light and the DSLR renders
            plainly; 1: everything as below; between them mixed.
        red_gain: Range of the white-balance gain of red that undoes the illuminant; Brooks et al.
        blue_gain: The same of blue.
        exposure: Range of the phone's exposure as a factor; around the 0.8 of Brooks et al. but narrower, so
            that the mapping can be learned.
        corner_light: Range of the light that reaches the frame's corners, as a fraction; own choice.
        phone_blur: Standard deviation of the phone lens's Gaussian blur in pixels; own choice.
        sharpening: Amount of the DSLR's unsharp mask (of standard deviation 1 pixel); own choice.
        saturation: Factor on the distance from grey in the DSLR's rendering; own choice.
        warmth: Factors on red, green and blue in the DSLR's rendering; own choice.
        jpeg_quality: Of the DSLR's photos, 0 to 100, 4:4:4.
        zoom: Range of the scale at which a photograph is used; small ones are enlarged as a patch needs.
        crop: Range of the part of the photograph that a frame's height and width take.
        hue: Largest angle by which the hues of a scene are turned, in degrees: 0 for the photographs' own, which
            hold hardly any greens; 180 for any.
        black_level: Sensor value without light; ZRR: 63 (official code of Zhang et al. 2021).
        white_level: Sensor value of saturation; ZRR: 1020.
        bit_depth: Bits of a sensor value; ZRR: 10.
        train_photographs: Names of the photographs of the training split.
        test_photographs: Those of the test split.

    Raises:
        ValueError: A value makes no sense, or a photograph is in both splits.
    """

    seed: int = 0
    patch_size: int = 448
    max_displacement: float = 8.0
    noise: float = 5e-4
    colour_strength: float = 1.0
    red_gain: tuple[float, float] = (1.9, 2.4)
    blue_gain: tuple[float, float] = (1.5, 1.9)
    exposure: tuple[float, float] = (0.75, 0.9)
    corner_light: tuple[float, float] = (0.5, 0.65)
    phone_blur: float = 0.7
    sharpening: float = 0.6
    saturation: float = 1.25
    warmth: tuple[float, float, float] = (1.0, 0.93, 0.82)
    jpeg_quality: int = 95
    zoom: tuple[float, float] = (0.8, 1.0)
    crop: tuple[float, float] = (0.85, 1.0)
    hue: float = 0.0
    black_level: int = 63
    white_level: int = 1020
    bit_depth: int = 10
    train_photographs: tuple[str, ...] = ('astronaut', 'china', 'coffee', 'hopper', 'ihc', 'rocket')
    test_photographs: tuple[str, ...] = ('chelsea', 'flower', 'motorcycle_left')

    def __post_init__(self) -> None:
        if self.patch_size < 16 or self.patch_size % 2:
            raise ValueError(f'patch_size: expected an even number of at least 16, found {self.patch_size}.')
        if not 0 <= self.colour_strength <= 1:
            raise ValueError(f'colour_strength: expected a value in [0, 1], found {self.colour_strength}.')
        if not 0 <= self.hue <= 180:
            raise ValueError(f'hue: expected an angle from 0 to 180 degrees, found {self.hue}.')
        for name in ('max_displacement', 'noise', 'phone_blur'):
            if getattr(self, name) < 0:
                raise ValueError(f'{name}: expected a value of at least 0, found {getattr(self, name)}.')
        if not 0 <= self.black_level < self.white_level < 2**self.bit_depth <= 2**16:
            found = f'{self.black_level}, {self.white_level} and {self.bit_depth} bits'
            raise ValueError(f'levels: expected 0 <= black < white < 2 ** bit_depth <= 65536, found {found}.')
        shared = set(self.train_photographs) & set(self.test_photographs)
        if shared:
            raise ValueError(
                f'photographs of both splits: {", ".join(sorted(shared))}. The splits must not share any.'
            )


def phone_camera(config: SimulationConfig | None = None) -> Camera:
    """The phone as a training camera: its matrix, and the white balance in the middle of the ranges drawn from."""
    config = config or SimulationConfig()
    red, blue = (sum(limits) / 2 for limits in (config.red_gain, config.blue_gain))
    return Camera('simulated phone', XYZ_TO_PHONE, (red, 1.0, blue))


def linearise(image: np.ndarray) -> np.ndarray:
    """A photo's linear light: inverse smoothstep, then inverse gamma 2.2, as in Brooks et al."""
    tone_mapped = np.clip(image, 0, 1)
    return ((0.5 - np.sin(np.arcsin(1 - 2 * tone_mapped) / 3)) ** 2.2).astype(np.float32)


def smoothstep(values: np.ndarray) -> np.ndarray:
    """The tone curve 3x^2 - 2x^3 on [0, 1]."""
    return values * values * (3 - 2 * values)


def phone_matrix(colour_strength: float = 1.0) -> np.ndarray:
    """(3, 3) from linear sRGB to the phone's channels; rows sum to 1, so that white stays white."""
    matrix = XYZ_TO_PHONE @ SRGB_TO_XYZ
    matrix /= matrix.sum(axis=1, keepdims=True)
    return colour_strength * matrix + (1 - colour_strength) * np.eye(3)


def vignette(size: tuple[int, int], corner_light: float) -> np.ndarray:
    """The light that reaches each pixel of a frame as a fraction: the cos^4 law about the frame's centre.

    Returns:
        (H, W) float32; 1 at the centre and ``corner_light`` in the corners.
    """
    height, width = size
    y, x = np.mgrid[:height, :width]
    radius2 = (x - (width - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2
    tangent2 = (corner_light**-0.5 - 1) * radius2 / radius2.max()  # cos^4 = 1 / (1 + tan^2)^2
    return ((1 + tangent2) ** -2).astype(np.float32)


def apply_light(image: np.ndarray, gains: np.ndarray, exposure: float) -> np.ndarray:
    """Undoes the white balance and exposes, keeping saturated pixels saturated, as in Brooks et al.

    Args:
        image: (H, W, 3), linear camera colours in [0, 1].
        gains: (3,) white-balance gains.
        exposure: A factor.
    """
    factors = exposure / gains
    mask = np.clip((image.mean(axis=2, keepdims=True) - 0.9) / 0.1, 0, None) ** 2
    return image * np.maximum(mask + (1 - mask) * factors, factors)


def mosaic_rggb(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W), the channel that each pixel of an RGGB sensor sees."""
    mosaic = image[..., 1].copy()
    mosaic[0::2, 0::2] = image[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = image[1::2, 1::2, 2]
    return mosaic


def noise_variance(signal: np.ndarray, shot: float) -> np.ndarray:
    """Variance of the noise at a signal in [0, 1] for a shot-noise level, as in Brooks et al.

    The read noise is the centre of their log-linear relation: log(read) = 2.18 log(shot) + 1.20.
    """
    if shot == 0:
        return np.zeros_like(signal)
    return shot * signal + np.exp(2.18 * np.log(shot) + 1.20)


def quantise(signal: np.ndarray, config: SimulationConfig) -> np.ndarray:
    """A signal in [0, 1] as sensor values: ``black + signal * (white - black)``, rounded, uint16."""
    values = config.black_level + signal * (config.white_level - config.black_level)
    return np.clip(np.round(values), 0, 2**config.bit_depth - 1).astype(np.uint16)


def phone_exposure(
    light: np.ndarray, config: SimulationConfig, gains: np.ndarray, exposure: float, corner_light: float
) -> np.ndarray:
    """What the phone's sensor gets of a frame: blur, camera colours, illuminant, exposure, vignetting.

    Args:
        light: (H, W, 3) float32, linear.
        config: Of the simulation.
        gains: (3,) white-balance gains of the scene's illuminant, at ``colour_strength`` 1.
        exposure: A factor.
        corner_light: Light in the frame's corners, as a fraction.

    Returns:
        (H, W) float32, an RGGB mosaic without noise, in [0, 1].
    """
    if config.phone_blur:
        light = cv2.GaussianBlur(light, (0, 0), config.phone_blur, borderType=cv2.BORDER_REFLECT_101)
    colours = cv2.transform(light, phone_matrix(config.colour_strength))
    colours = apply_light(np.clip(colours, 0, 1), gains**config.colour_strength, exposure)
    lit = colours * vignette(light.shape[:2], corner_light)[..., None]
    return np.clip(mosaic_rggb(lit), 0, 1).astype(np.float32)


def phone_raw(signal: np.ndarray, config: SimulationConfig, rng: np.random.Generator) -> np.ndarray:
    """Sensor values, (H, W) uint16, of a noiseless signal (H, W) in [0, 1]."""
    noise = rng.standard_normal(signal.shape) * np.sqrt(noise_variance(signal, config.noise))
    return quantise(signal + noise, config)


def dslr_photo(light: np.ndarray, config: SimulationConfig) -> np.ndarray:
    """The DSLR's photo: warm tint, saturation, gamma, contrast, sharpening; always the same.

    Args:
        light: (H, W, 3) float32, linear.
        config: Of the simulation.

    Returns:
        (H, W, 3) float32, gamma-encoded, in [0, 1].
    """
    strength = config.colour_strength
    saturation = 1 + strength * (config.saturation - 1)
    matrix = saturation * np.eye(3) + (1 - saturation) * LUMA
    colours = cv2.transform(light, matrix @ np.diag(np.array(config.warmth) ** strength))
    encoded = np.clip(colours, 0, 1) ** np.float32(1 / 2.2)
    toned = (1 - strength) * encoded + strength * smoothstep(encoded)
    blurred = cv2.GaussianBlur(toned, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT_101)
    return np.clip(toned + config.sharpening * (toned - blurred), 0, 1)
