"""Sensor files, and sensors that are simulated."""

from rawtoolbox.raw.camera_colour import adaptation_matrix, camera_to_srgb_matrix
from rawtoolbox.raw.develop import develop, turn_upright
from rawtoolbox.raw.dng import write_dng
from rawtoolbox.raw.frame import Exposure, RawFileError, RawFrame
from rawtoolbox.raw.reader import open_raw, read_headless, read_mosaic_png, read_raw

__all__ = [
    'Exposure',
    'RawFileError',
    'RawFrame',
    'adaptation_matrix',
    'camera_to_srgb_matrix',
    'develop',
    'open_raw',
    'read_headless',
    'read_mosaic_png',
    'read_raw',
    'turn_upright',
    'write_dng',
]
