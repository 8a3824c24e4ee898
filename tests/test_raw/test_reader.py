"""Camera files, mosaics in PNG or TIFF, and headless values, read as frames; and what is refused."""

import dataclasses
import datetime
import os
import signal
import struct
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from fuzz_reader import MOSAIC, mutate, seed_files

from rawtoolbox.raw import (
    Exposure,
    RawFileError,
    open_raw,
    read_headless,
    read_mosaic_png,
    read_raw,
    write_dng,
)
from rawtoolbox.raw.frame import levels_at_positions, levels_by_colour, make_frame, usable_gains
from rawtoolbox.raw.metadata import camera_name
from rawtoolbox.raw.native_stderr import libraw_reports

CFAS = ('RGGB', 'GRBG', 'GBRG', 'BGGR')
MATRIX = np.array([[0.9020, -0.2890, -0.0715], [-0.4535, 1.2436, 0.2348], [-0.0934, 0.1919, 0.7086]])
DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'raw'
needs_data = pytest.mark.skipif(
    not DATA.is_dir(),
    reason='needs the real sensor files in ../shared/data/raw, which are not part of the project',
)


@pytest.fixture
def mosaic(rng):
    return rng.integers(0, 65536, (40, 50), dtype=np.uint16)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def red_corner(cfa):
    """Row and column of red, by hand."""
    return {'RGGB': (0, 0), 'GRBG': (0, 1), 'GBRG': (1, 0), 'BGGR': (1, 1)}[cfa]


def write_tiff(path, mosaic, photometric=32803, pattern=bytes((0, 1, 1, 2)), repeat=(2, 2), extra=()):
    """A DNG that `write_dng` would not write."""
    tags = [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (271, 2, 0, 'Some', True), (272, 2, 0, 'Camera', True)]
    if photometric == 32803:
        tags += [(33421, 3, 2, repeat, True), (33422, 1, len(pattern), pattern, True)]
    tifffile.imwrite(
        path,
        mosaic,
        photometric=photometric,
        metadata=None,
        subfiletype=0,
        extratags=[*tags, *extra],
        byteorder='<',
    )
    return path


def set_tags(path, values):
    """Overwrites numbers in a DNG."""
    with tifffile.TiffFile(path, mode='r+') as file:
        for tag, value in values.items():
            file.pages.first.tags[tag].overwrite(value)


class TestDng:
    @pytest.mark.parametrize('cfa', CFAS)
    @pytest.mark.parametrize('size', [(22, 22), (23, 25), (40, 51)])
    def test_mosaic_comes_back_in_rggb_phase(self, tmp_path, rng, cfa, size):
        mosaic = rng.integers(0, 65536, size, dtype=np.uint16)
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, cfa))
        top, left = red_corner(cfa)
        height, width = frame.mosaic.shape
        assert frame.cfa == cfa
        assert frame.crop_offset == (top, left)
        assert height % 2 == width % 2 == 0
        assert size[0] - top - height in (0, 1) and size[1] - left - width in (0, 1)
        assert np.array_equal(frame.mosaic, mosaic[top : top + height, left : left + width])

    def test_full_16_bit_range(self, tmp_path):
        mosaic = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB'))
        assert np.array_equal(frame.mosaic, mosaic)
        assert frame.white_level == 65535

    @pytest.mark.parametrize('cfa', CFAS)
    @pytest.mark.parametrize('area', [None, (2, 4, 38, 48), (1, 1, 39, 49), (2, 3, 38, 47), (3, 2, 40, 50)])
    def test_black_levels_and_active_area(self, tmp_path, mosaic, cfa, area):
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, cfa, (10, 20, 30, 40), active_area=area))
        top, left, bottom, right = area or (0, 0, 40, 50)
        # LibRaw drops the odd row or column of a margin; from there on, the first red site begins the frame
        row, column = top + top % 2, left + left % 2
        row, column = row + (row + red_corner(cfa)[0]) % 2, column + (column + red_corner(cfa)[1]) % 2
        height, width = (bottom - row) // 2 * 2, (right - column) // 2 * 2
        assert np.array_equal(frame.mosaic, mosaic[row : row + height, column : column + width])
        assert frame.black_level == (10, 20, 30, 40)

    def test_metadata(self, tmp_path, mosaic):
        exposure = Exposure(400, 1 / 250, 2.8, 35.0, datetime.datetime(2021, 10, 11, 12, 13, 14))
        path = write_dng(
            tmp_path / 'a.dng',
            mosaic,
            'RGGB',
            as_shot_neutral=(0.5, 1, 0.625),
            color_matrix=MATRIX,
            make='Maker',
            model='Model 1',
            exposure=exposure,
        )
        frame = read_raw(path)
        assert frame.white_balance == pytest.approx((2, 1, 1.6), rel=1e-5)
        assert frame.white_balance_source == 'as-shot'
        assert frame.xyz_to_camera == pytest.approx(MATRIX, abs=1e-6)
        assert frame.camera == 'Maker Model 1'
        assert dataclasses.astuple(frame.exposure)[:4] == pytest.approx((400, 1 / 250, 2.8, 35), rel=1e-5)
        assert frame.exposure.taken == exposure.taken
        assert frame.path == path
        assert frame.notices == ()

    @pytest.mark.parametrize('orientation', range(1, 9))
    def test_orientation(self, tmp_path, mosaic, orientation):
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB', orientation=orientation))
        assert frame.orientation == orientation
        assert np.array_equal(frame.mosaic, mosaic)  # the mosaic itself is not turned

    def test_frame_outlives_the_file(self, tmp_path, mosaic):
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB'))
        for _ in range(3):  # LibRaw's memory is used again
            read_raw(write_dng(tmp_path / 'b.dng', 65535 - mosaic, 'RGGB'))
        assert np.array_equal(frame.mosaic, mosaic)
        assert frame.mosaic.flags.owndata

    @pytest.mark.parametrize(
        'name', ['é中文 raw.dng', os.fsdecode(b'not-utf8-\xff.dng'), 'upper.DNG', 'no suffix']
    )
    def test_any_name(self, tmp_path, mosaic, name):
        assert np.array_equal(read_raw(write_dng(tmp_path / name, mosaic, 'RGGB')).mosaic, mosaic)

    def test_fields_cannot_be_set(self, tmp_path, mosaic):
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB'))
        with pytest.raises(dataclasses.FrozenInstanceError):
            frame.white_level = 1
        assert dataclasses.replace(frame, white_level=1000).white_level == 1000

    def test_matrix_of_the_illuminant_nearest_to_daylight(self, tmp_path, mosaic):
        def rationals(values):
            return [number for value in np.ravel(values) for number in (round(value * 10000), 10000)]

        tungsten, extra = np.eye(3), []
        extra += [(50721, 10, 9, rationals(tungsten), True), (50722, 10, 9, rationals(MATRIX), True)]
        extra += [(50778, 3, 1, 17, True), (50779, 3, 1, 21, True)]
        extra += [(50727, 5, 3, rationals([1.25, 1, 0.75]), True)]  # AnalogBalance
        frame = read_raw(write_tiff(tmp_path / 'a.dng', mosaic, extra=extra))
        assert frame.xyz_to_camera == pytest.approx(np.diag([1.25, 1, 0.75]) @ MATRIX, abs=1e-6)


class TestWhiteBalance:
    def test_unset_falls_back_to_daylight(self, tmp_path, mosaic):
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB', color_matrix=MATRIX))
        expected = 1 / (MATRIX @ [0.95047, 1, 1.08883])  # the camera's answer to D65
        assert frame.as_shot_gains is None
        assert frame.white_balance == pytest.approx(tuple(expected / expected[1]), rel=1e-3)
        assert frame.white_balance_source == 'daylight'
        assert any('white balance is not set' in notice for notice in frame.notices)

    def test_all_ones_count_as_unset(self, tmp_path, mosaic):
        path = write_dng(tmp_path / 'a.dng', mosaic, 'RGGB', as_shot_neutral=(1, 1, 1), color_matrix=MATRIX)
        frame = read_raw(path)
        assert frame.white_balance_source == 'daylight'
        assert any('is 1, 1, 1' in notice for notice in frame.notices)

    def test_nothing_known(self, tmp_path, mosaic):
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB'))
        assert frame.white_balance == (1, 1, 1)
        assert frame.white_balance_source == 'none'
        assert frame.xyz_to_camera is None
        assert any('colour matrix' in notice for notice in frame.notices)

    @pytest.mark.parametrize(
        'multipliers',
        [
            None,
            [1, 1, 1, 1],
            [7, 7, 7, 0],
            [0, 0, 0, 0],
            [2, 0, 1],
            [np.nan, 1, 2],
            [-2, 1, 1],
            [1e6, 1, 1],
            [2, 1],
        ],
    )
    def test_garbage_is_no_white_balance(self, multipliers):
        assert usable_gains(multipliers) is None

    def test_gains_are_relative_to_green(self):
        assert usable_gains([512.0, 256.0, 384.0, 256.0]) == (2.0, 1.0, 1.5)


class TestRefused:
    """Each message names the file and says what it is."""

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'nothing\.dng: no such file'):
            read_raw(tmp_path / 'nothing.dng')

    def test_folder(self, tmp_path):
        with pytest.raises(RawFileError, match='found a folder'):
            read_raw(tmp_path)

    def test_empty(self, tmp_path):
        (tmp_path / 'a.dng').touch()
        with pytest.raises(RawFileError, match=r'a\.dng: the file is empty'):
            read_raw(tmp_path / 'a.dng')

    @pytest.mark.parametrize(
        ('content', 'kind'),
        [
            (b'hello world, ' * 100, 'text'),
            (b'<!DOCTYPE html><html>' + b' ' * 100, 'web page'),
            (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'git lfs pull'),
            (b'PK\x03\x04' + bytes(100), 'zip'),
            (bytes(range(100, 228)) * 8, 'unknown'),
        ],
    )
    def test_not_a_camera_file(self, tmp_path, content, kind):
        (tmp_path / 'a.dng').write_bytes(content)
        with pytest.raises(RawFileError, match=f'not a camera file, found: .*{kind}'):
            read_raw(tmp_path / 'a.dng')

    def test_a_camera_is_not_guessed_from_the_size(self, tmp_path):
        # LibRaw takes any 786432 bytes for the picture of a 1024x768 camera
        np.zeros((512, 768), '<u2').tofile(tmp_path / 'a.dat')
        with pytest.raises(RawFileError, match='not a camera file'):
            read_raw(tmp_path / 'a.dat')

    def test_jpeg(self, tmp_path):
        cv2.imwrite(str(tmp_path / 'a.jpg'), np.zeros((64, 64, 3), np.uint8))
        with pytest.raises(RawFileError, match='a JPEG is a developed picture'):
            read_raw(tmp_path / 'a.jpg')

    @pytest.mark.parametrize('kept', [0.95, 0.5, 0.2, 0.02])
    def test_truncated(self, tmp_path, mosaic, kept, capfd):
        path = write_dng(tmp_path / 'a.dng', mosaic, 'RGGB')
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        with pytest.raises(RawFileError, match=r'a\.dng: the file (is cut short|ends too early)'):
            read_raw(path)
        assert capfd.readouterr().err == ''  # LibRaw's own words are in the message

    def test_metadata_without_picture(self, tmp_path, mosaic):
        # LibRaw decodes a JPEG that is not there to a picture of zeros, and calls it a success
        path = write_tiff(tmp_path / 'a.dng', mosaic)
        set_tags(path, {256: 4000, 257: 3000, 259: 7})
        with pytest.raises(RawFileError, match=r'bytes cannot hold a picture of 3000x4000'):
            read_raw(path)

    def test_linear_dng(self, tmp_path, rng):
        path = write_tiff(
            tmp_path / 'a.dng', rng.integers(0, 65536, (40, 50, 3), dtype=np.uint16), photometric=34892
        )
        with pytest.raises(
            RawFileError, match=r'linear DNG \(3 values a pixel\).*demosaicked already.*ProRAW'
        ):
            read_raw(path)

    def test_x_trans(self, tmp_path, mosaic):
        rows = ('GGRGGB', 'GGBGGR', 'BRGRBG', 'GGBGGR', 'GGRGGB', 'RBGBRG')
        pattern = bytes('RGB'.index(colour) for row in rows for colour in row)
        path = write_tiff(tmp_path / 'a.dng', mosaic, pattern=pattern, repeat=(6, 6))
        with pytest.raises(RawFileError, match='X-Trans'):
            read_raw(path)

    @pytest.mark.parametrize('rows', [('RRGG', 'RRGG', 'GGBB', 'GGBB'), ('RGGB', 'GBRG', 'GRBG', 'BGGR')])
    def test_quad_bayer(self, tmp_path, mosaic, rows):
        pattern = bytes('RGB'.index(colour) for row in rows for colour in row)
        path = write_tiff(tmp_path / 'a.dng', mosaic, pattern=pattern, repeat=(4, 4))
        with pytest.raises(RawFileError, match=r'4x4'):
            read_raw(path)

    def test_other_pattern(self, tmp_path, mosaic):
        path = write_tiff(tmp_path / 'a.dng', mosaic, pattern=bytes((0, 2, 2, 1)))
        with pytest.raises(RawFileError, match='expected a 2x2 Bayer pattern'):
            read_raw(path)

    def test_unknown_coding(self, tmp_path, mosaic):
        tags = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True)]
        tags += [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (271, 2, 0, 'Some', True)]
        path = tmp_path / 'a.dng'
        tifffile.imwrite(path, mosaic, photometric=32803, compression='zlib', extratags=tags, metadata=None)
        with pytest.raises(RawFileError, match='cannot decode this coding.*lossless'):
            read_raw(path)

    def test_tags_of_the_wrong_kind_do_not_matter(self, tmp_path, mosaic):
        extra = [(50713, 3, 1, 2, True), (34855, 2, 0, 'text', True), (51009, 3, 1, 0, True)]
        frame = read_raw(write_tiff(tmp_path / 'a.dng', mosaic, extra=extra))
        assert np.array_equal(frame.mosaic, mosaic)
        assert frame.camera == 'Some Camera' and frame.exposure is None

    def test_levels_that_make_no_sense(self, tmp_path, mosaic):
        extra = [(50713, 3, 2, (1, 1), True), (50714, 4, 1, 5000, True), (50717, 4, 1, 1000, True)]
        with pytest.raises(RawFileError, match='white_level: expected a value above the black level'):
            read_raw(write_tiff(tmp_path / 'a.dng', mosaic, extra=extra))


class TestNotices:
    def test_corrections_that_are_not_applied(self, tmp_path, mosaic):
        warp = struct.pack('>5I', 1, 1, 0x01030000, 1, 0)
        for number, tag in enumerate((51008, 51009, 51022), 1):
            frame = read_raw(write_tiff(tmp_path / 'a.dng', mosaic, extra=[(tag, 7, len(warp), warp, True)]))
            expected = f'OpcodeList{number} asks for WarpRectilinear'
            assert any(expected in notice for notice in frame.notices)

    def test_missing_part(self, tmp_path, mosaic):
        mosaic = np.maximum(mosaic, 1)
        mosaic[:10] = 0
        frame = read_raw(write_dng(tmp_path / 'a.dng', mosaic, 'RGGB', black_level=512))
        assert any('may be missing' in notice for notice in frame.notices)

    def test_empty_picture(self, tmp_path, mosaic):
        frame = read_raw(write_dng(tmp_path / 'a.dng', np.full_like(mosaic, 7), 'RGGB'))
        assert any('All values are 7' in notice for notice in frame.notices)

    def test_libraw_reports_are_caught_and_others_passed_on(self, capfd):
        with libraw_reports() as reports:
            os.write(2, b'a.nef: data corrupted at 1234\nsomething else\n')
            assert reports() == ['data corrupted at 1234']
        assert capfd.readouterr().err == 'something else\n'

    def test_threads(self, tmp_path, mosaic):
        paths = [write_dng(tmp_path / f'{k}.dng', mosaic + np.uint16(k), 'RGGB') for k in range(8)]
        frames = {}
        threads = [
            threading.Thread(target=lambda k=k, path=path: frames.update({k: read_raw(path)}))
            for k, path in enumerate(paths)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(np.array_equal(frames[k].mosaic, mosaic + np.uint16(k)) for k in range(8))


class TestMosaicPng:
    @pytest.mark.parametrize('suffix', ['.png', '.tif'])
    def test_values_and_phase(self, tmp_path, rng, suffix):
        mosaic = rng.integers(0, 1024, (31, 44), dtype=np.uint16)
        path = tmp_path / f'a{suffix}'
        cv2.imwrite(str(path), mosaic)
        frame = read_mosaic_png(path, 'gbrg', (1, 2, 3, 4), 1023, as_shot_gains=(2.0, 1.0, 1.5))
        assert np.array_equal(frame.mosaic, mosaic[1:31])
        assert frame.cfa == 'GBRG' and frame.black_level == (1, 2, 3, 4) and frame.white_level == 1023
        assert frame.white_balance == (2, 1, 1.5)

    def test_8_bit(self, tmp_path, rng):
        mosaic = rng.integers(0, 256, (32, 44), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / 'a.png'), mosaic)
        with pytest.raises(RawFileError, match=r'expected 16 bits a pixel, found 8.*allow_8bit'):
            read_mosaic_png(tmp_path / 'a.png', 'RGGB', 0, 255)
        frame = read_mosaic_png(tmp_path / 'a.png', 'RGGB', 0, 255, allow_8bit=True)
        assert np.array_equal(frame.mosaic, mosaic)

    @pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
    def test_colour_picture(self, tmp_path, rng, dtype):
        cv2.imwrite(str(tmp_path / 'a.png'), rng.integers(0, 255, (32, 44, 3)).astype(dtype))
        with pytest.raises(RawFileError, match='demosaicked already'):
            read_mosaic_png(tmp_path / 'a.png', 'RGGB', 0, 255)

    def test_damaged(self, tmp_path, rng):
        cv2.imwrite(str(tmp_path / 'a.png'), rng.integers(0, 1024, (64, 64), dtype=np.uint16))
        (tmp_path / 'a.png').write_bytes((tmp_path / 'a.png').read_bytes()[:2000])
        with pytest.raises(RawFileError, match='the PNG is damaged'):
            read_mosaic_png(tmp_path / 'a.png', 'RGGB', 0, 1023)

    def test_white_level_too_low_is_noticed(self, tmp_path, rng):
        cv2.imwrite(str(tmp_path / 'a.png'), rng.integers(0, 4096, (32, 44), dtype=np.uint16))
        frame = read_mosaic_png(tmp_path / 'a.png', 'RGGB', 0, 1023)
        assert any('above the white level 1023' in notice for notice in frame.notices)

    @pytest.mark.parametrize(
        ('arguments', 'message'),
        [
            (('RGBG', 0, 1023), 'cfa: expected one of'),
            (('RGGB', (1, 2), 1023), 'black_level: expected one value or'),
            (('RGGB', -1, 1023), 'black_level'),
            (('RGGB', 64, 64), 'white_level: expected a value above the black level 64'),
            (('RGGB', 64, 1 << 20), 'up to 65535'),
        ],
    )
    def test_wrong_arguments(self, tmp_path, rng, arguments, message):
        cv2.imwrite(str(tmp_path / 'a.png'), rng.integers(0, 1024, (32, 44), dtype=np.uint16))
        with pytest.raises(ValueError, match=message):
            read_mosaic_png(tmp_path / 'a.png', *arguments)


class TestHeadless:
    @pytest.mark.parametrize(('dtype', 'offset'), [('<u2', 0), ('>u2', 16), ('u1', 3)])
    def test_values(self, tmp_path, rng, dtype, offset):
        mosaic = rng.integers(0, 256, (30, 44)).astype(dtype)
        (tmp_path / 'a.raw').write_bytes(bytes(offset) + mosaic.tobytes())
        frame = read_headless(tmp_path / 'a.raw', 30, 44, 'BGGR', 0, 255, dtype=dtype, offset=offset)
        assert np.array_equal(frame.mosaic, mosaic[1:29, 1:43])
        assert frame.mosaic.dtype == np.uint16

    def test_size_mismatch_gives_bytes_and_likely_sizes(self, tmp_path):
        np.zeros((512, 768), '<u2').tofile(tmp_path / 'a.raw')
        with pytest.raises(RawFileError, match=r'are 614400 bytes, found 786432.*512x768'):
            read_headless(tmp_path / 'a.raw', 480, 640, 'RGGB', 0, 1023)

    @pytest.mark.parametrize(
        ('change', 'message'),
        [
            ({'dtype': '<f4'}, 'dtype: expected'),
            ({'height': 0}, 'height, width, offset'),
            ({'offset': -1}, 'offset'),
        ],
    )
    def test_wrong_geometry(self, tmp_path, change, message):
        np.zeros((24, 24), '<u2').tofile(tmp_path / 'a.raw')
        geometry = {'height': 24, 'width': 24, 'cfa': 'RGGB', 'black_level': 0, 'white_level': 1023}
        with pytest.raises(ValueError, match=message):
            read_headless(tmp_path / 'a.raw', **(geometry | change))


class TestOpenRaw:
    """The dispatcher goes by content."""

    def test_camera_file_under_another_name(self, tmp_path, mosaic):
        path = write_dng(tmp_path / 'a.raw', mosaic, 'RGGB')
        assert np.array_equal(open_raw(path).mosaic, mosaic)

    def test_png(self, tmp_path, mosaic):
        cv2.imwrite(str(tmp_path / 'a.png'), mosaic)
        frame = open_raw(tmp_path / 'a.png', cfa='RGGB', black_level=0, white_level=65535)
        assert np.array_equal(frame.mosaic, mosaic)
        with pytest.raises(RawFileError, match=r'a PNG does not say its cfa, black_level, white_level'):
            open_raw(tmp_path / 'a.png')
        with pytest.raises(RawFileError, match=r'does not say its white_level: give'):
            open_raw(tmp_path / 'a.png', cfa='RGGB', black_level=0, white_level=None)
        with pytest.raises(RawFileError, match=r'a PNG has no use for height, whitebalance'):
            open_raw(tmp_path / 'a.png', cfa='RGGB', black_level=0, white_level=9, height=3, whitebalance=4)

    def test_tiff(self, tmp_path, mosaic):
        tifffile.imwrite(tmp_path / 'a.tif', mosaic)
        frame = open_raw(tmp_path / 'a.tif', cfa='RGGB', black_level=0, white_level=65535)
        assert np.array_equal(frame.mosaic, mosaic)
        with pytest.raises(RawFileError, match='a TIFF that names no camera.*given their pattern and levels'):
            open_raw(tmp_path / 'a.tif')

    def test_tiff_that_names_pages_without_end(self, tmp_path):
        """A damaged file that the fuzzer found: only its first page is looked at."""
        (tmp_path / 'a.tif').write_bytes(mutate(seed_files(tmp_path, 'mosaic'), 11, 1589))
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail('the reader follows the pages'))
        signal.alarm(10)
        try:
            with pytest.raises(RawFileError, match='the TIFF is damaged or of an unknown kind'):
                open_raw(tmp_path / 'a.tif', **MOSAIC)
        finally:
            signal.alarm(0)

    def test_tiff_whose_size_is_damaged_is_refused_before_memory_is_taken_for_it(self, tmp_path, mosaic):
        tifffile.imwrite(tmp_path / 'a.tif', mosaic)
        with tifffile.TiffFile(tmp_path / 'a.tif', mode='r+') as file:
            file.pages[0].tags['ImageLength'].overwrite(2**24)
        with pytest.raises(RawFileError, match='bytes cannot hold a picture of 16777216x50'):
            open_raw(tmp_path / 'a.tif', cfa='RGGB', black_level=0, white_level=65535)

    def test_headless(self, tmp_path, mosaic):
        mosaic.tofile(tmp_path / 'a.raw')
        with pytest.raises(
            RawFileError, match=r'without a header.*height, width, cfa, black_level, white_level'
        ):
            open_raw(tmp_path / 'a.raw')
        frame = open_raw(
            tmp_path / 'a.raw', height=40, width=50, cfa='RGGB', black_level=0, white_level=65535
        )
        assert np.array_equal(frame.mosaic, mosaic)

    def test_camera_file_takes_no_geometry(self, tmp_path, mosaic):
        path = write_dng(tmp_path / 'a.dng', mosaic, 'RGGB')
        assert open_raw(path, cfa=None, black_level=None).black_level == (0, 0, 0, 0)
        with pytest.raises(RawFileError, match='says these itself: leave black_level out'):
            open_raw(path, black_level=3)


def test_levels_change_places_with_the_pattern():
    for cfa in CFAS:
        positions = levels_at_positions((1, 2, 3, 4), cfa)
        top, left = red_corner(cfa)
        assert positions[top, left] == 1 and positions[top, 1 - left] == 2
        assert positions[1 - top, left] == 3 and positions[1 - top, 1 - left] == 4
        assert levels_by_colour(positions, cfa) == (1, 2, 3, 4)


def test_frame_of_a_tiny_mosaic():
    with pytest.raises(RawFileError, match='2x2 pixels are too few for a pattern BGGR'):
        make_frame(np.zeros((2, 2), np.uint16), 'BGGR', 0, 1)


@pytest.mark.parametrize(
    ('make', 'model', 'name'),
    [
        ('NIKON CORPORATION', 'NIKON D1', 'NIKON D1'),
        ('Eastman Kodak Company', 'Kodak DC50', 'Kodak DC50'),
        ('SONY\0', 'ILCE-7', 'SONY ILCE-7'),
        (None, None, ''),
    ],
)
def test_camera_name(make, model, name):
    assert camera_name(make, model) == name


@needs_data
class TestRealFiles:
    def test_nikon_d1(self):
        frame = open_raw(DATA / 'nikon_d1.nef')
        assert frame.cfa == 'BGGR' and frame.crop_offset == (1, 1) and frame.mosaic.shape == (1322, 2010)
        assert frame.black_level == (0, 0, 0, 0) and frame.white_level == 4095
        assert frame.white_balance_source == 'daylight' and frame.white_balance[0] > 1.5
        assert frame.xyz_to_camera.shape == (3, 3) and frame.camera == 'NIKON D1' and frame.orientation == 1
        assert frame.exposure.iso == 200 and frame.exposure.taken.year == 2000
        assert any('1, 1, 1' in notice for notice in frame.notices)
        assert any('saturates at 3827' in notice for notice in frame.notices)

    def test_kodak_with_a_non_ascii_name(self):
        frame = open_raw(DATA / 'kodak_dc50_é.kdc')
        assert frame.cfa == 'GRBG' and frame.mosaic.shape == (512, 766) and frame.white_level == 16383
        assert frame.white_balance_source == 'none' and frame.xyz_to_camera is None

    @pytest.mark.parametrize(
        ('name', 'geometry'),
        [
            ('nikon14_768x512_rggb.raw', {'height': 512, 'width': 768, 'cfa': 'RGGB'}),
            ('nikon14_768x512_gbrg.raw', {'height': 512, 'width': 768, 'cfa': 'GBRG'}),
            ('nikon14_768x512_rggb_badpixels.raw', {'height': 512, 'width': 768, 'cfa': 'RGGB'}),
        ],
    )
    def test_headless_nikon(self, name, geometry):
        frame = open_raw(DATA / name, black_level=600, white_level=15520, **geometry)
        assert frame.mosaic.shape == (512 - 2 * frame.crop_offset[0], 768)
        assert not any('missing' in notice for notice in frame.notices)

    def test_headless_needs_its_geometry(self):
        with pytest.raises(RawFileError, match='height, width'):
            open_raw(DATA / 'chart_10bit_1920x1080_rggb.raw')
        geometry = {'height': 1080, 'width': 1920, 'cfa': 'RGGB', 'black_level': 0, 'white_level': 1023}
        frame = open_raw(DATA / 'chart_10bit_1920x1080_rggb.raw', **geometry)
        assert frame.mosaic.max() <= 1023 and frame.notices == ()

    def test_phone_png(self):
        frame = open_raw(DATA / 'phone_10bit_grbg_256x344.png', cfa='GRBG', black_level=25, white_level=1023)
        assert frame.mosaic.shape == (344, 254)
        assert any('2.0% of the values are 0' in notice for notice in frame.notices)  # its last rows


def test_damaged_files_are_refused_with_a_message():
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import fuzz_reader

    outcomes = fuzz_reader.run(75, seed=3)
    bad = {number: what for number, what in outcomes.items() if what[0] not in fuzz_reader.GOOD}
    assert len(outcomes) == 75
    assert not bad
    assert {what for what, _ in outcomes.values()} == {'read', 'refused'}
