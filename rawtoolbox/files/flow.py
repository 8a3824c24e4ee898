"""Optical flow in files: Middlebury's .flo, and KITTI's 16-bit PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

FLO_TAG = np.float32(202021.25)  # 'PIEH' as little-endian bytes
FLO_UNKNOWN = 1e9  # Middlebury: a larger component means that the flow is not known
PNG_SCALE, PNG_OFFSET = 64, 2**15


def write_flow_png(path: str | Path, flow: np.ndarray, valid: np.ndarray | None = None) -> None:
    """Writes flow as a 16-bit PNG as KITTI does: (u, v) = (value - 2^15) / 64, and whether it is valid.

    The format is that of the development kits of KITTI 2012 and 2015: steps of 1/64 pixel, up to 512 pixels.

    Args:
        path: File to write.
        flow: (2, H, W), x then y, in pixels.
        valid: (H, W) or (1, H, W), not zero where the flow is known; everywhere if None.

    Raises:
        ValueError: Shapes do not fit, or a valid vector does not fit the format's range.
    """
    height, width = _check_flow(flow)
    valid = np.ones((height, width), bool) if valid is None else np.asarray(valid).reshape(-1, width) != 0
    if valid.shape != (height, width):
        raise ValueError(
            f'{path}: expected a valid mask of {height}x{width} pixels, found the shape {valid.shape}.'
        )
    values = np.round(np.where(valid, flow, 0) * PNG_SCALE) + PNG_OFFSET
    if not ((values >= 0) & (values < 2**16)).all():
        found = np.abs(np.where(valid, flow, 0)).max()
        raise ValueError(
            f'{path}: expected flow within 512 pixels, found {found:g}. Write it as .flo instead.'
        )
    channels = np.stack([valid, values[1], values[0]], axis=-1).astype(
        np.uint16
    )  # OpenCV: last channel first
    encoded = cv2.imencode('.png', channels)[1]
    Path(path).write_bytes(encoded.tobytes())


def read_flow_png(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a flow field from a 16-bit PNG as KITTI writes it.

    Returns:
        flow: (2, H, W) float32, x then y, in pixels; 0 where it is not valid.
        valid: (1, H, W) float32, 0 or 1.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a PNG of three channels and 16 bits.
    """
    data = _read(path)
    channels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if channels is None or channels.dtype != np.uint16 or channels.ndim != 3 or channels.shape[2] != 3:
        found = 'no image' if channels is None else f'{channels.dtype} of shape {channels.shape}'
        raise ValueError(f'{path}: expected a flow PNG of 3 channels with 16 bits, found {found}.')
    valid = (channels[..., 0] > 0).astype(np.float32)
    flow = (channels[..., [2, 1]].astype(np.float32) - PNG_OFFSET) / PNG_SCALE
    return np.ascontiguousarray((flow * valid[..., None]).transpose(2, 0, 1)), valid[None]


def write_flo(path: str | Path, flow: np.ndarray) -> None:
    """Writes a flow field as Middlebury's .flo: tag, width, height, then (u, v) per pixel, little-endian.

    Args:
        path: File to write.
        flow: (2, H, W), x then y, in pixels; components above 1e9 mean unknown.

    Raises:
        ValueError: The shape does not fit.
    """
    height, width = _check_flow(flow)
    header = FLO_TAG.astype('<f4').tobytes() + np.array([width, height], '<i4').tobytes()
    Path(path).write_bytes(header + flow.transpose(1, 2, 0).astype('<f4').tobytes())


def read_flo(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a flow field from Middlebury's .flo.

    Returns:
        flow: (2, H, W) float32, x then y, in pixels; 0 where it is not valid.
        valid: (1, H, W) float32, 0 where the file says unknown (a component above 1e9, or NaN), else 1.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The tag is wrong, or the file has not the length that its size asks for.
    """
    data = _read(path)
    if len(data) < 12 or np.frombuffer(data, '<f4', 1)[0] != FLO_TAG:
        raise ValueError(f'{path}: expected a .flo file (tag {FLO_TAG}), found {data[:4]!r}.')
    width, height = (int(length) for length in np.frombuffer(data, '<i4', 2, offset=4))
    expected = 12 + 8 * width * height
    if min(width, height) < 1 or len(data) != expected:
        raise ValueError(f'{path}: expected {expected} bytes for {height}x{width} pixels, found {len(data)}.')
    flow = np.frombuffer(data, '<f4', offset=12).reshape(height, width, 2).transpose(2, 0, 1)
    valid = (np.abs(flow) < FLO_UNKNOWN).all(axis=0, keepdims=True)  # False for NaN as well
    return np.where(valid, flow, 0).astype(np.float32), valid.astype(np.float32)


def _check_flow(flow: np.ndarray) -> tuple[int, int]:
    """Height and width of a (2, H, W) array."""
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f'flow: expected the shape (2 H W), found {tuple(flow.shape)}.')
    return flow.shape[1:]


def _read(path: str | Path) -> bytes:
    """A file's bytes."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: expected a flow file, found none.')
    return Path(path).read_bytes()
