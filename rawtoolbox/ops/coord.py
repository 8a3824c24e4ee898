"""Coordinate maps: where in its frame each pixel of a patch lies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rawtoolbox.ops.checks import check_shape


def coord_map(
    height: int,
    width: int,
    origin: tuple[float, float] = (0, 0),
    frame_size: tuple[float, float] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Coordinates of the pixels of a patch.

    The frame reaches from -1 to 1, from edge to edge; a pixel is at its centre, so the first of W is at
    ``-1 + 1/W``. A patch's map is the slice of its frame's map, and half the resolution averages 2x2 pixels.

    Without a frame, the patch is its own: the map of the official release (``get_coord`` with x = y = 1). The
    map around zero that the first version of the official code adds to a predicted patch centre is that of a
    patch in the middle of the 2976x3968 frame of the Zurich data set:

    >>> coord_map(448, 448, origin=(1264, 1760), frame_size=(2976, 3968))[:, 0, 0]
    tensor([-0.1127, -0.1502])

    Args:
        height: Height of the patch.
        width: Width of the patch.
        origin: The patch's first row and column in its frame (y, x).
        frame_size: Height and width of the frame; None for a frame of the patch's own size.
        device: Where to make the map.
        dtype: Its type.

    Returns:
        (2, height, width): x, then y.

    Raises:
        ValueError: The frame is not positive.
    """
    frame = torch.tensor([frame_size or (height, width)], dtype=torch.float64)
    return batch_coord_maps(height, width, torch.tensor([origin], dtype=torch.float64), frame, device, dtype)[
        0
    ]


def batch_coord_maps(
    height: int,
    width: int,
    origins: Tensor,
    frame_sizes: Tensor,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Coordinates of the pixels of each patch of a batch, as in :func:`coord_map`.

    Args:
        height: Height of the patches.
        width: Width of the patches.
        origins: (N, 2): first row and column of each patch in its frame (y, x).
        frame_sizes: (N, 2): height and width of each frame.
        device: Where to make the maps.
        dtype: Their type.

    Returns:
        (N, 2, height, width): x, then y.

    Raises:
        ValueError: Wrong shape, or a frame that is not positive.
    """
    count = check_shape(origins, 'N 2', 'origins')['N']
    check_shape(frame_sizes, f'{count} 2', 'frame_sizes')
    if not bool((frame_sizes > 0).all()):
        raise ValueError(f'frame_sizes: expected positive sizes, found {frame_sizes.tolist()}.')
    # The axes are short: made in float64 on the CPU, they are exact and serve devices that have no float64.
    axes = [
        2 * (start.double()[:, None] + torch.arange(length) + 0.5) / full.double()[:, None] - 1
        for start, full, length in zip(
            origins.cpu().unbind(1), frame_sizes.cpu().unbind(1), (height, width), strict=True
        )
    ]
    y, x = (axis.to(device=device, dtype=dtype) for axis in axes)
    shape = (count, height, width)
    return torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], dim=1)


def pack_coord(coord: Tensor) -> Tensor:
    """Coordinates of the 2x2 cells of a mosaic, for a network that takes packed planes.

    Args:
        coord: (N, 2, H, W); H and W even.

    Returns:
        (N, 2, H/2, W/2): the centre of each cell.

    Raises:
        ValueError: Wrong shape or odd size.
    """
    sizes = check_shape(coord, 'N 2 H W', 'coord')
    if sizes['H'] % 2 or sizes['W'] % 2:
        raise ValueError(f'coord: expected an even height and width, found {sizes["H"]}x{sizes["W"]}.')
    return F.avg_pool2d(coord, 2)
