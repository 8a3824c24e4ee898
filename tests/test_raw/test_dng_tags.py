"""Colours as a DNG tells them: the light by its chromaticity, matrices of several lights, calibration."""

import dataclasses

import numpy as np
import pytest
import tifffile
import torch

from rawtoolbox.inference.camera_adaptation import adapted_mosaic
from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.raw.camera import Camera
from rawtoolbox.raw.develop import develop
from rawtoolbox.raw.dng_colour import xy_to_neutral
from rawtoolbox.raw.frame import make_frame
from rawtoolbox.raw.reader import read_raw
from rawtoolbox.raw.white_balance import settle_white_balance
from rawtoolbox.raw.white_point import D65, temperature_to_xy

COOL = np.array([[0.8100, -0.1900, -0.0600], [-0.3500, 1.1000, 0.2900], [-0.0100, 0.0800, 0.6600]])
HOT = np.array([[0.7034, -0.0804, -0.1014], [-0.4420, 1.2564, 0.2058], [-0.0851, 0.1994, 0.5758]])
PHONE = np.array([[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]])
TUNGSTEN = (0.44757, 0.40745)


def ratios(values):
    return [part for value in np.ravel(values) for part in (round(value * 10**6), 10**6)]


def write(path, mosaic, extra=()):
    """A DNG without AsShotNeutral."""
    tags = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True)]
    tags += [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (271, 2, 0, 'a', True), (272, 2, 0, 'b', True)]
    tags += [
        (50717, 4, 1, 65535, True),
        (50721, 10, 9, ratios(COOL), True),
        (50722, 10, 9, ratios(HOT), True),
    ]
    tags += [(50778, 3, 1, 17, True), (50779, 3, 1, 21, True), *extra]
    tifffile.imwrite(path, mosaic, photometric=32803, extratags=tags, metadata=None)
    return path


@pytest.mark.parametrize('white', [D65, TUNGSTEN, temperature_to_xy(4000, 10)])
def test_white_xy_is_the_white_balance_and_the_picture_does_not_overrule_it(tmp_path, white):
    # a scene of one colour, which the sensor sees as equal in all channels
    mosaic = np.random.default_rng(0).integers(9000, 40000, (32, 48), dtype=np.uint16)
    frame = read_raw(write(tmp_path / 'a.dng', mosaic, [(50729, 5, 2, ratios(white), True)]))
    neutral = xy_to_neutral(frame.profile, white)
    assert frame.white_balance == pytest.approx(tuple(neutral[1] / neutral), rel=1e-3)
    assert frame.white_balance_source == 'as-shot'
    assert settle_white_balance(frame) is frame
    assert not any('not set' in notice for notice in frame.notices)


def test_white_xy_that_is_none_is_left(tmp_path):
    mosaic = np.random.default_rng(0).integers(9000, 40000, (32, 48), dtype=np.uint16)
    frame = read_raw(write(tmp_path / 'a.dng', mosaic, [(50729, 5, 2, (9, 10, 9, 10), True)]))
    assert frame.white_balance_source == 'daylight'


def test_matrices_of_both_lights_and_calibration(tmp_path):
    mosaic = np.random.default_rng(0).integers(9000, 40000, (32, 48), dtype=np.uint16)
    calibration = np.diag([1.1, 1, 0.9])
    extra = [(50723, 10, 9, ratios(calibration), True), (50724, 10, 9, ratios(calibration), True)]
    extra += [(50727, 5, 3, ratios([1.3, 1, 0.8]), True)]
    profile = read_raw(write(tmp_path / 'a.dng', mosaic, extra)).profile
    assert [light.kelvin for light in profile.illuminants] == [2856, 6504]
    expected = np.diag([1.3, 1, 0.8]) @ calibration @ COOL
    assert profile.xyz_to_camera(temperature_to_xy(2500)) == pytest.approx(expected, abs=1e-5)
    # a calibration for another profile's signature is none of this one's
    profile = read_raw(write(tmp_path / 'b.dng', mosaic, [*extra, (50931, 1, 4, b'abc\0', True)])).profile
    assert profile.xyz_to_camera(temperature_to_xy(2500)) == pytest.approx(
        np.diag([1.3, 1, 0.8]) @ COOL, abs=1e-5
    )


@pytest.mark.parametrize('kelvin', [2300, 2856, 4000, 6504, 9000])
def test_overexposed_grey_stays_grey_for_the_network_and_in_the_preview(kelvin):
    phone = Camera('phone', PHONE, (2.1, 1.0, 1.7))
    white = COOL @ np.array([1.0985, 1, 0.35585]) if kelvin == 2856 else None
    x, y = temperature_to_xy(kelvin)
    seen = HOT @ np.array([x / y, 1, (1 - x - y) / y]) if white is None else white
    neutral = seen / seen.max()
    steps = torch.linspace(0, 4, 33).repeat_interleave(8)
    planes = (steps * torch.tensor(neutral)[:, None]).clamp(max=1)[None, :, None, :].expand(1, 3, 16, -1)
    values = (256 + 3839 * bayer_mosaic(planes.float())[0, 0]).round().numpy().astype(np.uint16)
    gains = tuple(neutral[1] / neutral)
    frame = make_frame(values, 'RGGB', 256, 4095, as_shot_gains=gains, xyz_to_camera=HOT)
    mosaic, _ = adapted_mosaic(frame, phone)
    raw = demosaic_bilinear(mosaic)[0, :, 8, 4::8].double()
    # what the phone records of grey: each channel in proportion, up to its own saturation
    light = raw[1].clone()
    for channel, gain in enumerate(phone.gains):
        exposed = raw[channel] < 0.97
        expected = light / gain
        unsaturated = exposed & (raw[1] < 0.97)
        assert torch.allclose(raw[channel][unsaturated], expected[unsaturated], atol=0.02)
        assert (raw[channel].diff() > -2e-3).all()
    assert (raw[:, -1] > 0.98).all()
    image = develop(dataclasses.replace(frame))[:, 8, 4::8]
    assert (image.amax(0) - image.amin(0)).max() < 0.02
