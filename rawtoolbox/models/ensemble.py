"""Test-time self-ensemble over the eight flips and transpositions of a mosaic."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.ops.augment import dihedral_bayer, undo_dihedral_bayer
from rawtoolbox.ops.bayer import pack_mosaic, unpack_mosaic
from rawtoolbox.ops.coord import pack_coord


def ensemble_x8(backbone: nn.Module, raw: Tensor, source_coord: Tensor, raw_input: RawInput) -> Tensor:
    """Averages a backbone's outputs over the dihedral group (Timofte et al., CVPR 2016, Section 2.6).

    The mosaic is flipped so that it keeps its Bayer phase, which costs one row or column at the border; each
    pixel is averaged over the transforms in which it exists.

    Args:
        backbone: The network.
        raw: Its packed input, (N, 4, H/2, W/2).
        source_coord: Coordinates of the sensor's pixels, (N, 2, H, W).
        raw_input: The backbone's input convention.

    Returns:
        (N, 3, H, W).

    Raises:
        ValueError: The backbone does not map a packed mosaic to an image of the mosaic's size.
    """
    if raw_input.layout != 'packed' or raw_input.scale != 2:
        raise ValueError(
            'The x8 ensemble needs a backbone from a packed mosaic to an image of the same size.'
        )
    mosaic = unpack_mosaic(raw, order=raw_input.order)
    total, weight = 0, 0
    for flips in itertools.product((False, True), repeat=3):
        turned = pack_mosaic(dihedral_bayer(mosaic, *flips), order=raw_input.order)
        image, valid = undo_dihedral_bayer(
            backbone(turned, pack_coord(dihedral_bayer(source_coord, *flips))), *flips
        )
        total, weight = total + image * valid, weight + valid
    return torch.as_tensor(total) / weight
