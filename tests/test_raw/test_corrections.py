"""Levels and lens shading that vary over a DNG's picture, and the value at which its sensor saturates."""

import struct

import numpy as np
import pytest
import tifffile

from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.reader import read_raw

BLACK, WHITE = 64, 1023
SIZE = HEIGHT, WIDTH = 48, 64


def ratios(values):
    return [part for value in np.ravel(values) for part in (round(value * 1000), 1000)]


def write(path, mosaic, extra=(), black=BLACK, white=WHITE, preview=0):
    """A DNG of RGGB; with a preview of so many rows in front of it."""
    tags = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True), (50717, 4, 1, white, True)]
    given = {tag[0] for tag in extra}
    tags += [(50714, 4, 1, black, True)] if 50714 not in given and black is not None else []
    camera = [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (271, 2, 0, 'a', True), (272, 2, 0, 'b', True)]
    options = {'photometric': 32803, 'metadata': None}
    with tifffile.TiffWriter(path) as file:
        if preview:
            picture = np.zeros((preview, preview, 3), np.uint8)
            file.write(picture, photometric='rgb', subifds=1, subfiletype=1, extratags=camera, metadata=None)
            file.write(mosaic, subfiletype=0, extratags=[*tags, *extra], **options)
        else:
            file.write(mosaic, extratags=[*camera, *tags, *extra], **options)
    return path


@pytest.fixture
def light():
    """(H, W) between black and white, nothing saturated."""
    return np.random.default_rng(0).uniform(0.05, 0.9, SIZE)


def sensor(light, black=BLACK):
    return np.rint(black + light * (WHITE - black)).astype(np.uint16)


def error(path, light):
    return np.abs(linear_mosaic(read_raw(path))[0, 0].numpy() - light).max()


@pytest.mark.parametrize('preview', [0, 20, 100])
def test_black_levels_of_rows_and_columns(tmp_path, light, preview):
    rows, columns = np.linspace(-30, 30, HEIGHT), np.linspace(20, -20, WIDTH)
    values = sensor(light, BLACK + rows[:, None] + columns)
    extra = [(50716, 10, HEIGHT, ratios(rows), True), (50715, 10, WIDTH, ratios(columns), True)]
    assert error(write(tmp_path / 'a.dng', values, extra, preview=preview), light) < 1e-3


def test_whole_black_level_in_the_rows(tmp_path, light):
    extra = [(50716, 10, HEIGHT, ratios(np.full(HEIGHT, 256)), True)]
    assert error(write(tmp_path / 'a.dng', sensor(light, 256.0), extra, black=0), light) < 1e-3


@pytest.mark.parametrize('side', [3, 4, 8])
def test_black_levels_that_repeat_beyond_2x2(tmp_path, light, side):
    tile = 50 + np.add.outer(np.arange(side), np.arange(side)) * 3.0
    map_ = np.tile(tile, (HEIGHT // side + 1, WIDTH // side + 1))[:HEIGHT, :WIDTH]
    extra = [(50713, 3, 2, (side, side), True), (50714, 5, side * side, ratios(tile), True)]
    assert error(write(tmp_path / 'a.dng', sensor(light, map_), extra), light) < 1e-3


def test_fractions_of_a_black_level(tmp_path, light):
    extra = [(50714, 5, 1, ratios([63.94]), True)]
    assert read_raw(write(tmp_path / 'a.dng', sensor(light), extra)).black_level == pytest.approx(
        (63.94,) * 4
    )


def gain_map(gains, top=0, left=0, step=2, plane=0):
    down, across = gains.shape
    payload = struct.pack('>10I', top, left, *SIZE, plane, 1, step, step, down, across)
    payload += struct.pack('>4dI', 1 / (down - 1), 1 / (across - 1), 0, 0, 1) + gains.astype('>f4').tobytes()
    return struct.pack('>4I', 9, 0x01030000, 1, len(payload)) + payload


def plane_of_light(across, down):
    """A gain that is linear over the picture, so that a map of four points holds it exactly."""
    return lambda y, x: 1 + down * y + across * x


SHADING = [plane_of_light(*slopes) for slopes in ((1.0, 0.5), (0.4, 0.2), (0.4, 0.2), (0.1, 0.6))]


def shaded(light):
    """What is measured through a lens that shades R, Gr, Gb and B differently."""
    y, x = (np.arange(HEIGHT)[:, None] + 0.5) / HEIGHT, (np.arange(WIDTH) + 0.5) / WIDTH
    result = light.copy()
    for place, gain in enumerate(SHADING):
        part = slice(place // 2, None, 2), slice(place % 2, None, 2)
        result[part] /= gain(y, x)[part]
    return sensor(result)


@pytest.mark.parametrize('preview', [0, 100])
@pytest.mark.parametrize('number', [2, 3])
def test_lens_shading_by_gain_maps(tmp_path, light, number, preview):
    y, x = np.mgrid[0:1:3j, 0:1:2j]
    if number == 2:
        maps = [gain_map(gain(y, x), place // 2, place % 2) for place, gain in enumerate(SHADING)]
    else:
        maps = [gain_map(SHADING[place](y, x), step=1, plane=plane) for plane, place in enumerate((0, 1, 3))]
    data = struct.pack('>I', len(maps)) + b''.join(maps)
    extra = [({2: 51009, 3: 51022}[number], 7, len(data), data, True)]
    path = write(tmp_path / 'a.dng', shaded(light), extra, preview=preview)
    assert error(path, light) < 2e-3
    assert not any('Opcode' in notice for notice in read_raw(path).notices)


def test_lens_shading_by_a_radial_polynomial(tmp_path, light):
    y, x = (np.arange(HEIGHT)[:, None] + 0.5) / HEIGHT - 0.5, (np.arange(WIDTH) + 0.5) / WIDTH - 0.5
    squared = ((y * HEIGHT) ** 2 + (x * WIDTH) ** 2) / ((HEIGHT**2 + WIDTH**2) / 4)
    payload = struct.pack('>7d', 0.5, 0.2, 0, 0, 0, 0.5, 0.5)
    data = struct.pack('>5I', 1, 3, 0x01030000, 1, len(payload)) + payload
    path = write(
        tmp_path / 'a.dng',
        sensor(light / (1 + 0.5 * squared + 0.2 * squared**2)),
        [(51022, 7, len(data), data, True)],
    )
    assert error(path, light) < 2e-3


@pytest.mark.parametrize('damage', [b'\0\0\0\1', b'\xff' * 40, struct.pack('>5I', 1, 9, 1, 1, 8) + bytes(8)])
def test_damaged_lists_do_not_matter(tmp_path, light, damage):
    assert (
        error(write(tmp_path / 'a.dng', sensor(light), [(51009, 7, len(damage), damage, True)]), light) < 1e-3
    )


def test_a_sensor_that_saturates_below_its_white_level(tmp_path):
    light = np.random.default_rng(0).uniform(0.05, 3, SIZE)
    values = np.minimum(sensor(light), 873)
    frame = read_raw(write(tmp_path / 'a.dng', values))
    assert frame.white_level == 873 and any('saturates at 873' in notice for notice in frame.notices)


def test_a_largest_value_alone_is_no_saturation(tmp_path, light):
    assert read_raw(write(tmp_path / 'a.dng', sensor(light))).white_level == WHITE
    # a flat patch of one colour
    values = sensor(light)
    values[0:8:2, 0:8:2] = 1000
    assert read_raw(write(tmp_path / 'b.dng', values)).white_level == WHITE
