"""Photos whose file says that they are not sRGB, converted to it: by ICC profile, or by EXIF's mark of Adobe RGB."""

from __future__ import annotations

import io

import numpy as np

PROFILE_MARKS = (b'ICC_PROFILE\0', b'iCCP')  # of JPEG and PNG
ADOBE_MARK = b'R03\0'  # EXIF's InteroperabilityIndex for Adobe RGB (DCF 2.0)
EXIF_FOLDER, COLOUR_SPACE, SRGB, INTEROPERABILITY = 0x8769, 0xA001, 1, 0xA005
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998), 4.3.4.2
# linear Adobe RGB to linear sRGB; both have the white of D65
ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]], np.float32)


def to_srgb(pixels: np.ndarray, data: bytes) -> tuple[np.ndarray, str]:
    """Converts a decoded photo to sRGB as its file demands.

    Args:
        pixels: (H, W, 3) uint8 RGB as the file stores them.
        data: The file's bytes, a JPEG or PNG.

    Returns:
        (H, W, 3) uint8 sRGB, and what it was converted from; empty, and the pixels themselves, for sRGB.

    Raises:
        ValueError: The profile cannot be used.
    """
    if any(mark in data for mark in PROFILE_MARKS):
        return _by_profile(pixels, data)
    if ADOBE_MARK in data and _is_adobe_rgb(data):
        return _from_adobe_rgb(pixels), 'Adobe RGB'
    return pixels, ''


def _by_profile(pixels: np.ndarray, data: bytes) -> tuple[np.ndarray, str]:
    from PIL import Image, ImageCms

    with Image.open(io.BytesIO(data)) as image:
        profile = image.info.get('icc_profile')
    if not profile:
        return pixels, ''
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip() or 'an unnamed profile'
        if source.profile.xcolor_space.strip() != 'RGB' or 'sRGB' in name:
            return pixels, ''
        target = ImageCms.createProfile('sRGB')
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        turned = ImageCms.profileToProfile(Image.fromarray(pixels), source, target, intent)
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError(f'its colour profile cannot be used ({error}): save the photo as sRGB.') from error
    return np.array(turned), name


def _is_adobe_rgb(data: bytes) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        exif = image.getexif()
        marked = exif.get_ifd(INTEROPERABILITY).get(1, '')
        return exif.get_ifd(EXIF_FOLDER).get(COLOUR_SPACE) != SRGB and str(marked).startswith('R03')


def _from_adobe_rgb(pixels: np.ndarray) -> np.ndarray:
    linear = (np.arange(256, dtype=np.float32) / 255) ** ADOBE_GAMMA
    light = np.clip(linear[pixels] @ ADOBE_TO_SRGB.T, 0, 1)
    encoded = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055
    )
    result: np.ndarray = np.rint(255 * encoded).astype(np.uint8)
    return result
