"""The plain development and the colour matrices, against LibRaw's own and by their defining properties."""

from pathlib import Path

import numpy as np
import pytest
import rawpy
import torch
from PIL import Image, ImageOps

from rawtoolbox.raw import (
    adaptation_matrix,
    camera_to_srgb_matrix,
    develop,
    open_raw,
    read_raw,
    turn_upright,
    write_dng,
)
from rawtoolbox.raw.camera_colour import daylight_gains
from rawtoolbox.raw.frame import make_frame

NIKON = np.array([[0.9020, -0.2890, -0.0715], [-0.4535, 1.2436, 0.2348], [-0.0934, 0.1919, 0.7086]])
PHONE = np.array([[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]])
GAINS = (1.94921875, 1.0, 1.34375)
DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'raw'
needs_data = pytest.mark.skipif(
    not DATA.is_dir(),
    reason='needs the real sensor files in ../shared/data/raw, which are not part of the project',
)


def psnr(first, second):
    return -10 * torch.log10((first - second).square().mean()).item()


def scene_mosaic(height=62, width=80, black=600, white=15520):
    """A smooth coloured scene, RGGB, 14 bits."""
    y, x = np.mgrid[:height, :width] / height
    planes = np.stack(
        [0.35 + 0.2 * np.sin(5 * x), 0.4 + 0.2 * np.cos(4 * y), 0.3 + 0.2 * np.sin(3 * (x + y))]
    )
    index = np.array([[0, 1], [1, 2]])[np.arange(height)[:, None] % 2, np.arange(width)[None] % 2]
    return (black + (white - black) * np.take_along_axis(planes, index[None], 0)[0]).astype(np.uint16)


class TestDevelop:
    def test_agrees_with_libraw(self, tmp_path):
        path = write_dng(tmp_path / 'a.dng', scene_mosaic(), 'RGGB', 600, 15520, 1 / np.array(GAINS), NIKON)
        with rawpy.imread(str(path)) as raw:
            reference = raw.postprocess(
                demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR,
                use_camera_wb=True,
                no_auto_bright=True,
                adjust_maximum_thr=0,
                gamma=(2.4, 12.92),
                output_bps=16,
                user_flip=0,
            )
        reference = torch.from_numpy(reference.astype(np.float32) / 65535).permute(2, 0, 1)
        assert psnr(develop(read_raw(path))[:, 2:-2, 2:-2], reference[:, 2:-2, 2:-2]) > 50

    def test_grey_comes_out_grey(self):
        raw = torch.tensor([1 / GAINS[0], 1.0, 1.0, 1 / GAINS[2]]) * 0.5 * 60000
        mosaic = raw.reshape(2, 2).repeat(12, 12).numpy().astype(np.uint16)
        image = develop(make_frame(mosaic, 'RGGB', 0, 60000, as_shot_gains=GAINS, xyz_to_camera=NIKON))
        assert image.shape == (3, 24, 24)
        assert (image.amax(0) - image.amin(0)).max() < 1e-3
        assert image.mean().item() == pytest.approx(0.7354, abs=1e-3)  # sRGB of 0.5

    @pytest.mark.parametrize('gains', [GAINS, (0.5, 1.0, 0.8)])
    def test_saturation_is_white(self, gains):
        frame = make_frame(np.full((24, 24), 1023, np.uint16), 'RGGB', 64, 1023, xyz_to_camera=PHONE)
        assert develop(frame, gains) == pytest.approx(torch.ones(3, 24, 24), abs=1e-5)

    def test_black_levels_of_each_site(self):
        mosaic = np.tile(np.array([[10, 20], [30, 40]], np.uint16), (12, 12))
        assert develop(make_frame(mosaic, 'RGGB', (10, 20, 30, 40), 1000)).abs().max() == 0

    def test_without_a_matrix_colours_are_the_sensors(self):
        mosaic = np.tile(np.array([[1000, 0], [0, 0]], np.uint16), (12, 12))
        red, green, blue = develop(make_frame(mosaic, 'RGGB', 0, 1000))
        assert red == pytest.approx(torch.ones(24, 24)) and green.max() == blue.max() == 0

    def test_wrong_gains(self):
        with pytest.raises(ValueError, match='gains: expected three positive'):
            develop(make_frame(scene_mosaic(), 'RGGB', 600, 15520), gains=(1.0, 0.0, 1.0))

    @pytest.mark.parametrize(('top', 'left'), [(0, 1), (1, 0), (1, 1)])
    def test_phases_of_one_scene_give_one_picture(self, tmp_path, top, left):
        assert_phases_agree(tmp_path, scene_mosaic(), top, left)


def assert_phases_agree(folder, mosaic, top, left):
    """A sensor read from another pixel on sees the same: only the frame of the picture differs."""
    cfa = {(0, 1): 'GRBG', (1, 0): 'GBRG', (1, 1): 'BGGR'}[top, left]
    arguments = (600, 15520, 1 / np.array(GAINS), NIKON)
    whole = develop(read_raw(write_dng(folder / 'whole.dng', mosaic, 'RGGB', *arguments)))
    shifted = read_raw(write_dng(folder / 'shifted.dng', mosaic[top:, left:], cfa, *arguments))
    assert shifted.cfa == cfa
    image = develop(shifted)
    top, left = top + shifted.crop_offset[0], left + shifted.crop_offset[1]
    height, width = image.shape[1:]
    whole = whole[:, top : top + height, left : left + width]
    assert psnr(whole, image) > 45
    assert torch.equal(whole[:, 1:-1, 1:-1], image[:, 1:-1, 1:-1])


class TestColourMatrices:
    def test_libraw_computes_the_same(self, tmp_path):
        path = write_dng(tmp_path / 'a.dng', scene_mosaic(), 'RGGB', color_matrix=NIKON)
        with rawpy.imread(str(path)) as raw:
            libraw_matrix, daylight = raw.color_matrix[:, :3].copy(), np.array(raw.daylight_whitebalance)
        assert camera_to_srgb_matrix(NIKON) == pytest.approx(libraw_matrix, abs=1e-5)
        assert daylight_gains(NIKON) == pytest.approx(tuple(daylight[:3] / daylight[1]), rel=1e-5)

    @pytest.mark.parametrize('matrix', [NIKON, PHONE])
    def test_white_stays_white(self, matrix):
        assert camera_to_srgb_matrix(matrix) @ np.ones(3) == pytest.approx(np.ones(3))

    @pytest.mark.parametrize(
        ('matrix', 'message'),
        [
            (np.zeros((3, 3)), 'gives? white|black or negative'),
            (-NIKON, 'white'),
            (np.ones((3, 3)), 'singular'),
            (np.full((3, 3), np.nan), '3x3 finite'),
            (np.eye(4), '3x3 finite'),
        ],
    )
    def test_unusable_matrices(self, matrix, message):
        with pytest.raises(ValueError, match=f'xyz_to_camera: .*({message})'):
            camera_to_srgb_matrix(matrix)


class TestAdaptation:
    def test_same_camera(self):
        assert adaptation_matrix(NIKON, GAINS, NIKON, GAINS) == pytest.approx(np.eye(3))

    def test_same_camera_in_other_light_is_a_change_of_gains(self):
        expected = np.diag(np.array(GAINS) / (2.5, 1, 1.1))
        assert adaptation_matrix(NIKON, GAINS, NIKON, (2.5, 1, 1.1)) == pytest.approx(expected)

    def test_grey_to_grey(self):
        matrix = adaptation_matrix(NIKON, GAINS, PHONE, (2.1, 1, 1.7))
        assert matrix @ (1 / np.array(GAINS)) == pytest.approx(1 / np.array((2.1, 1, 1.7)))

    def test_there_and_back(self):
        there = adaptation_matrix(NIKON, GAINS, PHONE, (2.1, 1, 1.7))
        back = adaptation_matrix(PHONE, (2.1, 1, 1.7), NIKON, GAINS)
        assert there @ back == pytest.approx(np.eye(3))

    def test_daylight_colours_are_what_the_target_measures(self):
        # under D65 both cameras measure C @ XYZ, up to one exposure: the matrix must turn one into the other
        xyz = np.random.default_rng(0).uniform(0.1, 1, (3, 20))
        matrix = adaptation_matrix(NIKON, daylight_gains(NIKON), PHONE, daylight_gains(PHONE))
        adapted, measured = matrix @ NIKON @ xyz, PHONE @ xyz
        assert adapted / measured == pytest.approx(np.full((3, 20), (adapted / measured)[0, 0]))

    def test_adapted_picture_develops_to_the_same(self):
        source = make_frame(scene_mosaic(), 'RGGB', 600, 15520, as_shot_gains=GAINS, xyz_to_camera=NIKON)
        target_gains = daylight_gains(PHONE)
        matrix = adaptation_matrix(NIKON, GAINS, PHONE, target_gains)
        raw = np.random.default_rng(0).uniform(0, 1, (3, 20))
        developed = camera_to_srgb_matrix(NIKON) @ np.diag(source.white_balance) @ raw
        again = camera_to_srgb_matrix(PHONE) @ np.diag(target_gains) @ matrix @ raw
        assert again == pytest.approx(developed)

    @pytest.mark.parametrize(
        ('arguments', 'message'),
        [
            ((None, GAINS, PHONE, GAINS), 'source_xyz_to_camera: the camera has no colour matrix'),
            ((NIKON, GAINS, None, GAINS), 'target_xyz_to_camera: the camera has no'),
            ((NIKON, (1, 1), PHONE, GAINS), 'source_gains: expected three positive'),
            ((NIKON, GAINS, PHONE, (1, -1, 1)), 'target_gains: expected three positive'),
            ((NIKON, GAINS, np.ones((3, 3)), GAINS), 'singular'),
        ],
    )
    def test_what_cannot_be_done_is_said(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            adaptation_matrix(*arguments)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turning_agrees_with_pillow(orientation):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    turned = turn_upright(torch.from_numpy(pixels).permute(2, 0, 1), orientation)
    assert np.array_equal(turned.permute(1, 2, 0).numpy(), expected)


def test_no_such_orientation():
    with pytest.raises(ValueError, match='orientation: expected 1 to 8, found 9'):
        turn_upright(torch.zeros(3, 4, 4), 9)


@needs_data
class TestRealScene:
    LEVELS = {'height': 512, 'width': 768, 'black_level': 600, 'white_level': 15520}

    @pytest.mark.parametrize(('top', 'left'), [(0, 1), (1, 0), (1, 1)])
    def test_phases_of_one_scene_give_one_picture(self, tmp_path, top, left):
        mosaic = np.fromfile(DATA / 'nikon14_768x512_rggb.raw', '<u2').reshape(512, 768)
        assert_phases_agree(tmp_path, mosaic, top, left)

    def test_colours_are_found_in_a_file_of_another_phase(self):
        # The second file holds the first one's samples with every 2x2 tile turned by a quarter, not a true shift:
        # each colour is found, but some of it half a tile away, so that the pictures agree in colour, not in detail.
        colours = {'as_shot_gains': GAINS, 'xyz_to_camera': NIKON}
        first = open_raw(DATA / 'nikon14_768x512_rggb.raw', cfa='RGGB', **self.LEVELS, **colours)
        second = open_raw(DATA / 'nikon14_768x512_gbrg.raw', cfa='GBRG', **self.LEVELS, **colours)
        assert np.array_equal(second.mosaic[0::2, 0::2], first.mosaic[0:-2:2, 0::2])  # red
        assert np.array_equal(second.mosaic[1::2, 1::2], first.mosaic[3::2, 1::2])  # blue
        images = [torch.nn.functional.avg_pool2d(develop(frame)[:, :504], 8) for frame in (first, second)]
        assert psnr(*images) > 35

    def test_a_red_rose_is_red_and_leaves_are_green(self):
        colours = {'as_shot_gains': GAINS, 'xyz_to_camera': NIKON}
        image = develop(open_raw(DATA / 'nikon14_768x512_rggb.raw', cfa='RGGB', **self.LEVELS, **colours))
        petal, leaf = image[:, 380:420, 290:330].mean((1, 2)), image[:, 60:110, 90:110].mean((1, 2))
        assert petal[0] > 2 * petal[1] and petal[0] > 2 * petal[2]
        assert leaf[1] > leaf[2] + 0.1
