"""Flips, transpositions and crops that keep the phase of a Bayer mosaic."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from rawtoolbox.ops.checks import check_shape

HEIGHT, WIDTH = -2, -1


def dihedral(image: Tensor, hflip: bool = False, vflip: bool = False, transpose: bool = False) -> Tensor:
    """Flips an image, then transposes it: the eight symmetries of the square, as in the official code.

    Of packed planes this is the official augmentation. It moves the samples of a plane by one sensor pixel
    against the flipped scene; :func:`dihedral_bayer` does not.

    Args:
        image: (N, C, H, W).
        hflip: Whether left and right are exchanged.
        vflip: Whether top and bottom are exchanged.
        transpose: Whether rows and columns are exchanged, after the flips.

    Returns:
        (N, C, H, W), or (N, C, W, H) if transposed.
    """
    check_shape(image, 'N C H W', 'image')
    axes = [axis for axis, flip in ((HEIGHT, vflip), (WIDTH, hflip)) if flip]
    image = image.flip(axes) if axes else image
    return rearrange(image, 'n c h w -> n c w h') if transpose else image


def dihedral_bayer(
    image: Tensor, hflip: bool = False, vflip: bool = False, transpose: bool = False, scale: int = 1
) -> Tensor:
    """As :func:`dihedral`, and moved by one sensor pixel so that an RGGB mosaic stays one.

    A flipped axis begins with its second pixel, and ends with one that is mirrored about the last. Applied
    to a mosaic and to its target alike, it keeps them registered at every pixel: mosaicking commutes with it.

    Args:
        image: A mosaic or an image, (N, C, H, W).
        hflip: Whether left and right are exchanged.
        vflip: Whether top and bottom are exchanged.
        transpose: Whether rows and columns are exchanged, after the flips.
        scale: Pixels of this image per pixel of the mosaic.

    Returns:
        (N, C, H, W), or (N, C, W, H) if transposed.

    Raises:
        ValueError: A flipped side is not an even number of mosaic pixels.
    """
    check_shape(image, 'N C H W', 'image')
    for axis, flip in ((HEIGHT, vflip), (WIDTH, hflip)):
        if flip:
            image = _flip_keeping_phase(image, axis, scale)
    return dihedral(image, transpose=transpose)


def undo_dihedral_bayer(
    image: Tensor, hflip: bool = False, vflip: bool = False, transpose: bool = False, scale: int = 1
) -> tuple[Tensor, Tensor]:
    """Brings what was computed from :func:`dihedral_bayer`'s result back to where it came from.

    Args:
        image: (N, C, H, W), or (N, C, W, H) if transposed.
        hflip: As given to ``dihedral_bayer``.
        vflip: As given to ``dihedral_bayer``.
        transpose: As given to ``dihedral_bayer``.
        scale: Pixels of this image per pixel of the mosaic.

    Returns:
        The image, (N, C, H, W), and a mask (N, 1, H, W) that is 0 in the last row or column of a flipped
        axis: those were not in the transformed mosaic. There the image is 0.
    """
    check_shape(image, 'N C H W', 'image')
    valid = torch.ones_like(image[:, :1])
    image, valid = dihedral(image, transpose=transpose), dihedral(valid, transpose=transpose)
    for axis, flip in ((WIDTH, hflip), (HEIGHT, vflip)):
        if flip:
            image, valid = _unflip(image, axis, scale), _unflip(valid, axis, scale)
    return image, valid


def random_crop_window(
    height: int,
    width: int,
    size: int | tuple[int, int],
    generator: torch.Generator | None = None,
    multiple: int = 2,
) -> tuple[int, int]:
    """Draws where a crop begins, uniformly among the multiples of ``multiple``.

    Args:
        height: Height of the image.
        width: Width of the image.
        size: Side of the crop, or its height and width.
        generator: Source of randomness, on the CPU; None for the global one.
        multiple: What the first row and column are multiples of: 2 keeps the phase of a mosaic.

    Returns:
        First row and column.

    Raises:
        ValueError: The crop is not a positive multiple, or larger than the image.
    """
    crop = (size, size) if isinstance(size, int) else size
    if any(side < 1 or side % multiple for side in crop):
        raise ValueError(f'size: expected positive multiples of {multiple}, found {crop[0]}x{crop[1]}.')
    if crop[0] > height or crop[1] > width:
        raise ValueError(
            f'size: a crop of {crop[0]}x{crop[1]} does not fit into an image of {height}x{width}.'
        )
    room = ((height - crop[0]) // multiple, (width - crop[1]) // multiple)
    top, left = (int(torch.randint(count + 1, (), generator=generator)) * multiple for count in room)
    return top, left


def _flip_keeping_phase(image: Tensor, axis: int, scale: int) -> Tensor:
    """Flips one axis, drops its first mosaic pixel and appends the last but one, mirrored about the last."""
    size = image.shape[axis]
    if size % (2 * scale):
        raise ValueError(f'image: a flipped side must be a multiple of {2 * scale} pixels, found {size}.')
    flipped = image.flip(axis)
    mirrored = flipped.narrow(axis, size - 2 * scale, scale).flip(axis)
    return torch.cat([flipped.narrow(axis, scale, size - scale), mirrored], dim=axis)


def _unflip(image: Tensor, axis: int, scale: int) -> Tensor:
    """Inverse of the above, with zeros for the mosaic pixel that was dropped."""
    kept = image.narrow(axis, 0, image.shape[axis] - scale).flip(axis)
    return torch.cat([kept, torch.zeros_like(image.narrow(axis, 0, scale))], dim=axis)
