"""The DNG writer: what it writes is what tifffile and LibRaw read, and a failure leaves nothing behind."""

import datetime

import numpy as np
import pytest
import rawpy
import tifffile

from rawtoolbox.raw import Exposure, read_raw, write_dng
from rawtoolbox.raw.dng import SMALLEST
from rawtoolbox.raw.dng_colour import ColourProfile, Illuminant

MATRIX = np.array([[0.9020, -0.2890, -0.0715], [-0.4535, 1.2436, 0.2348], [-0.0934, 0.1919, 0.7086]])


@pytest.fixture
def mosaic():
    return np.random.default_rng(1).integers(0, 65536, (30, 44), dtype=np.uint16)


def ratios(tag):
    values = np.array(tag.value, dtype=float)
    return values[0::2] / values[1::2]


def test_tags(tmp_path, mosaic):
    path = write_dng(
        tmp_path / 'a.dng',
        mosaic,
        'gbrg',
        black_level=(62.5, 60, 58, 61.25),
        white_level=1023,
        as_shot_neutral=(0.4, 1, 0.7),
        color_matrix=MATRIX,
        orientation=6,
        exposure=Exposure(800, 1 / 8000, 1.8, 4.25, datetime.datetime(2020, 2, 29, 1, 2, 3)),
    )
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        assert np.array_equal(file.asarray(), mosaic)
        assert tags['CFAPattern'].value == bytes((1, 2, 0, 1))
        assert ratios(tags['BlackLevel']).tolist() == [
            58,
            61.25,
            62.5,
            60,
        ]  # in the pattern's places: Gb, B, R, Gr
        assert tags['WhiteLevel'].value == 1023 and tags['Orientation'].value == 6
        assert ratios(tags['ColorMatrix1']) == pytest.approx(MATRIX.ravel(), abs=1e-7)
        assert ratios(tags['AsShotNeutral']).tolist() == [0.4, 1, 0.7]
        assert tags['ExposureTime'].value == (1, 8000)
        assert tags['DateTime'].value == '2020:02:29 01:02:03'


def test_libraw_agrees(tmp_path, mosaic):
    path = write_dng(tmp_path / 'a.dng', mosaic, 'BGGR', (1, 2, 3, 4), 60000, as_shot_neutral=(0.5, 1, 0.8))
    with rawpy.imread(str(path)) as raw:
        assert np.array_equal(raw.raw_image_visible, mosaic)
        colours = raw.raw_colors_visible[:2, :2]
        assert [raw.color_desc.decode()[index] for index in colours.flat] == list('BGGR')
        assert np.array(raw.black_level_per_channel)[colours].tolist() == [[4, 3], [2, 1]]
        assert raw.white_level == 60000
        assert raw.camera_whitebalance[:3] == pytest.approx([2, 1, 1.25])


def test_a_frame_written_and_read_is_the_same(tmp_path, mosaic):
    frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'GRBG', 64, 1023, (0.5, 1, 0.625), MATRIX, 8))
    again = read_raw(
        write_dng(
            tmp_path / 'b.dng',
            frame.mosaic,
            'RGGB',
            frame.black_level,
            frame.white_level,
            as_shot_neutral=1 / np.array(frame.white_balance),
            color_matrix=frame.xyz_to_camera,
            orientation=frame.orientation,
        )
    )
    assert np.array_equal(again.mosaic, frame.mosaic)
    assert again.black_level == frame.black_level and again.white_level == frame.white_level
    assert again.white_balance == pytest.approx(frame.white_balance, rel=1e-6)
    assert again.xyz_to_camera == pytest.approx(frame.xyz_to_camera, abs=1e-7)
    assert again.orientation == frame.orientation


def test_the_active_area_is_what_is_seen(tmp_path, mosaic):
    frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB', active_area=(4, 6, 28, 40)))
    assert np.array_equal(frame.mosaic, mosaic[4:28, 6:40])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'mosaic': np.zeros((30, 44), np.float32)}, 'mosaic: expected .* uint16'),
        ({'mosaic': np.zeros((30, 44, 3), np.uint16)}, 'mosaic: expected'),
        ({'mosaic': np.zeros((SMALLEST - 1, 44), np.uint16)}, 'at least 22x22'),
        ({'cfa': 'RGBG'}, 'cfa: expected one of'),
        ({'black_level': (1, 2, 3)}, 'black_level'),
        ({'black_level': 100, 'white_level': 100}, 'white_level'),
        ({'as_shot_neutral': (0.5, 0, 0.5)}, 'as_shot_neutral: expected three positive'),
        ({'color_matrix': np.eye(4)}, 'color_matrix: expected 3x3'),
        ({'orientation': 0}, 'orientation: expected 1 to 8, found 0'),
        ({'active_area': (0, 0, 31, 44)}, 'active_area: expected'),
        ({'active_area': (0, 0, 20, 44)}, 'active_area: .*at least 22x22'),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, mosaic, change, message):
    with pytest.raises(ValueError, match=message):
        write_dng(tmp_path / 'a.dng', **({'mosaic': mosaic, 'cfa': 'RGGB'} | change))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_unfinished(tmp_path, mosaic):
    (tmp_path / 'a.dng').mkdir()
    (tmp_path / 'a.dng' / 'inside').touch()
    with pytest.raises(OSError, match=r'a\.dng'):
        write_dng(tmp_path / 'a.dng', mosaic, 'RGGB')
    assert [path.name for path in tmp_path.iterdir()] == ['a.dng']


@pytest.mark.parametrize('lights', [1, 2, 3])
def test_a_profile_written_and_read_is_the_same(tmp_path, mosaic, lights):
    forward = np.array([[0.70, 0.10, 0.1642], [0.26, 0.72, 0.02], [0.02, 0.01, 0.7949]])
    calibration = np.diag([1.1, 1.0, 0.9])
    kelvins = (2856, 6504, 5003)[:lights]
    illuminants = (
        Illuminant(kelvin, MATRIX * (1 + kelvin / 1e5), forward, calibration) for kelvin in kelvins
    )
    profile = ColourProfile(tuple(illuminants), (1.25, 1.0, 0.75))
    path = write_dng(tmp_path / 'a.dng', mosaic, 'RGGB', as_shot_neutral=(0.5, 1, 0.7), profile=profile)
    again = read_raw(path).profile
    assert again.analog_balance == pytest.approx(profile.analog_balance, abs=1e-6)
    for one, other in zip(profile.illuminants, again.illuminants, strict=True):
        assert one.kelvin == other.kelvin
        for name in ('color_matrix', 'forward_matrix', 'calibration'):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-6)
