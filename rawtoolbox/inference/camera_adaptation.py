"""A frame of any camera as the input of a network that knows one camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.inference.trained import TrainedNetwork
from rawtoolbox.ops.bayer import bayer_mosaic, pack_mosaic
from rawtoolbox.ops.colour import apply_matrix
from rawtoolbox.ops.constants import constant
from rawtoolbox.ops.coord import coord_map, pack_coord
from rawtoolbox.ops.demosaic import demosaic_bilinear, resize_planes
from rawtoolbox.ops.highlights import recover_highlights
from rawtoolbox.raw.camera import Camera
from rawtoolbox.raw.camera_colour import srgb_to_camera_matrix
from rawtoolbox.raw.colour_spaces import xyz_to_rgb
from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.frame import RawFrame
from rawtoolbox.raw.render import CameraColour, frame_colour
from rawtoolbox.raw.white_balance import estimate_gains

SATURATED = 0.9  # from here on, a pixel that is bright in all colours turns into the training camera's white


def network_input(linear: Tensor, trained: TrainedNetwork, margin: int = 0) -> tuple[Tensor, Tensor]:
    """What the network is given for a whole frame.

    Args:
        linear: (1, 1, H, W) RGGB mosaic, black level removed, white = 1.
        trained: The network; with the levels that it was trained on.
        margin: Pixels by which the frame is continued at each side, mirrored, which keeps the Bayer phase; even, and
            less than the frame's sides.

    Returns:
        The raw, (1, C, h, w), and the frame's coordinates, (1, 2, h, w), which go on beyond -1 and 1 in the margin.

    Raises:
        ValueError: The network takes no raw.
    """
    form, black, white = trained.raw_input, trained.black_level, trained.white_level
    coord = frame_coord(*linear.shape[-2:], margin)
    if margin:
        linear = F.pad(linear, (margin,) * 4, mode='reflect')
    if form.layout == 'packed':
        plane = linear if form.subtract_black else (black + linear * (white - black)) / white
        raw, coord = pack_mosaic(plane, order=form.order), pack_coord(coord)
    elif form.layout == 'plane_resized':
        raw = resize_planes(black + linear * (white - black))
    else:
        raise ValueError(
            f'{trained.name}: a network that takes {form.layout!r} images cannot develop a raw file.'
        )
    return (raw.clamp(max=1) if form.clip else raw), coord


def frame_coord(height: int, width: int, margin: int = 0) -> Tensor:
    """Coordinates of a frame's sensor pixels and of a margin around it, (1, 2, H + 2 margin, W + 2 margin)."""
    around = height + 2 * margin, width + 2 * margin
    return coord_map(*around, origin=(-margin, -margin), frame_size=(height, width))[None]


def adapted_mosaic(frame: RawFrame, camera: Camera | None) -> tuple[Tensor, list[str]]:
    """A frame's mosaic as the training camera would have recorded it, as far as that is known.

    With both colour matrices and white balances, colours are mapped by way of linear sRGB (`frame_colour`), partly
    saturated ones made neutral first; without the frame's matrix, by the white balances alone.
    A frame without any white balance is balanced by what its bright parts have in common.

    Args:
        frame: The frame.
        camera: The training camera; None if the checkpoint does not tell.

    Returns:
        (1, 1, H, W) linear mosaic, and what could not be done, in sentences.
    """
    mosaic = linear_mosaic(frame)
    if camera is None:
        return mosaic, [
            'Not adapted: the checkpoint does not say what its camera was (tools/publish.py --camera).'
        ]
    gains, notices = frame.white_balance, []
    if frame.white_balance_source == 'none':
        gains = estimate_gains(mosaic)
        notices.append(
            f'No white balance is known: it is guessed from the picture (gains {gains[0]:.2f}, 1, {gains[2]:.2f}).'
        )
    if frame.xyz_to_camera is None:
        notices.append('No colour matrix is known: only the white balance is adapted.')
        # with one matrix for both cameras, the rest of the mapping is the identity
        frame = replace(frame, xyz_to_camera=camera.xyz_to_camera)
    colour = frame_colour(frame, gains)
    to_camera = srgb_to_camera_matrix(camera.xyz_to_camera) @ xyz_to_rgb('srgb') @ colour.to_xyz
    # the exposure of green stays: balancing has scaled by its gain, the training camera's gains undo theirs
    matrix = np.diag(camera.gains[1] / np.asarray(camera.gains)) @ to_camera / colour.balance[1]
    return map_colours(mosaic, colour, torch.from_numpy(matrix).float()), notices


def map_colours(mosaic: Tensor, colour: CameraColour, matrix: Tensor) -> Tensor:
    """Multiplies the balanced colours of a mosaic by a matrix; saturated pixels stay so.

    What a pixel has not measured is interpolated; what it has measured stays as sharp as it was. A colour of which a
    channel is saturated is recovered or made neutral first: the matrix would turn it magenta or yellow.

    Args:
        mosaic: (1, 1, H, W) RGGB, linear, white = 1.
        colour: Balances the frame.
        matrix: (3, 3) balanced RGB to the wanted camera's raw RGB.

    Returns:
        (1, 1, H, W) in [0, 1].
    """
    colours = demosaic_bilinear(mosaic)
    least = colours.amin(1, keepdim=True)
    white = ((least - SATURATED) / (1 - SATURATED)).clamp(0, 1)
    balanced = colours * constant(colour.balance, colours)[:, None, None]
    balanced = recover_highlights(balanced, constant(colour.limits, colours))
    return torch.lerp(bayer_mosaic(apply_matrix(balanced, matrix)), torch.ones_like(white), white).clamp(0, 1)
