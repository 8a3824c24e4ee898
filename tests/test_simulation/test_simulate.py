"""The simulated cameras against hand values and independent formulas; the data set on disk."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.geometry import homography_flow
from rawtoolbox.ops.warp import backward_warp
from rawtoolbox.simulation import photographs
from rawtoolbox.simulation.cameras import (
    SimulationConfig,
    dslr_photo,
    linearise,
    noise_variance,
    phone_exposure,
    phone_matrix,
    phone_raw,
    smoothstep,
    vignette,
)
from rawtoolbox.simulation.displacement import FLOW_STEP, draw_flow, draw_homography
from rawtoolbox.simulation.photographs import PHOTOGRAPHS, Photograph, read_photograph, resize, turn_hue
from rawtoolbox.simulation.scene import draw_scene, render_scene
from rawtoolbox.simulation.zrr import simulate_dataset

CONFIG = SimulationConfig(patch_size=64)
NEUTRAL = np.ones(3)


def psnr(first, second):
    return -10 * np.log10(np.mean((np.asarray(first, float) - np.asarray(second, float)) ** 2))


@pytest.fixture(scope='module')
def pair():
    return render_scene(CONFIG, draw_scene(CONFIG, 'chelsea', 0))


def chw(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


# --- truth --------------------------------------------------------------------------------------------------


def test_aligned_is_target_at_the_flow(pair):
    height, width = pair.flow.shape[1:]
    y, x = np.mgrid[:height, :width] + pair.flow[::-1]
    grid = torch.from_numpy(np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], axis=-1))[None]
    expected = F.grid_sample(chw(pair.target), grid, mode='bicubic', align_corners=False)
    inside = (slice(None), slice(None), slice(12, -12), slice(12, -12))
    assert (expected.clamp(0, 1) - chw(pair.aligned))[inside].abs().max() < 0.51 / 255


def test_bilinear_warp_of_the_target_gives_aligned(pair):
    warped, coverage = backward_warp(chw(pair.target), torch.from_numpy(pair.flow)[None].double())
    seen = (coverage > 0.999).expand_as(warped)
    warped, aligned, target = (image[seen] for image in (warped, chw(pair.aligned), chw(pair.target)))
    assert psnr(warped, aligned) > 32  # bilinear against bicubic
    assert psnr(target, aligned) < 24


def test_hues_are_turned_and_nothing_else():
    red = np.array([[[0.8, 0.2, 0.2]]], np.float32)
    assert turn_hue(red, 120)[0, 0] == pytest.approx((0.2, 0.8, 0.2), abs=1e-6)
    assert turn_hue(red, -120)[0, 0] == pytest.approx((0.2, 0.2, 0.8), abs=1e-6)
    assert turn_hue(np.full((1, 1, 3), 0.4, np.float32), 77)[0, 0] == pytest.approx((0.4,) * 3, abs=1e-6)
    turning = replace(CONFIG, hue=180.0)
    plain, turned = draw_scene(CONFIG, 'coffee', 1), draw_scene(turning, 'coffee', 1)
    assert plain.hue == 0 and abs(turned.hue) > 10 and replace(turned, hue=0.0) == plain
    one, other = render_scene(CONFIG, plain), render_scene(turning, turned)
    assert np.array_equal(one.flow, other.flow) and psnr(one.target / 255.0, other.target / 255.0) < 25
    with pytest.raises(ValueError, match='hue: expected an angle'):
        SimulationConfig(hue=200)


def test_no_displacement_leaves_the_target():
    config = replace(CONFIG, max_displacement=0)
    pair = render_scene(config, draw_scene(config, 'rocket', 0))
    assert not pair.flow.any()
    np.testing.assert_array_equal(pair.aligned, pair.target)


def test_raw_is_aligned_with_aligned_not_with_target(pair):
    """The grey raw explains the aligned photo better than the photo itself, in every channel."""
    mosaic = torch.from_numpy(pair.mosaic.astype(np.float64))[None, None]
    grey = demosaic_bilinear((mosaic - 63) / 957)[0].mean(0).numpy()
    for channel in range(3):
        to_aligned, to_target = (
            np.corrcoef(grey.ravel(), image[..., channel].ravel())[0, 1]
            for image in (pair.aligned, pair.target)
        )
        assert to_aligned > to_target + 0.03


# --- displacement -------------------------------------------------------------------------------------------


def test_homography_moves_corners_together():
    flow = homography_flow(draw_homography(np.random.default_rng(0), (40, 60)), (40, 60))
    corners = flow[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.hypot(*corners.mean(axis=1)) == pytest.approx(0.6, abs=0.3)
    assert np.ptp(corners, axis=1).max() <= 0.4 + 1e-6


@pytest.mark.parametrize('peak', [1.0, 8.0, 20.0])
def test_flow_reaches_its_peak_on_the_grid_of_the_file(peak):
    flow = draw_flow(np.random.default_rng(5), (80, 100), peak)
    assert flow.shape == (2, 80, 100)
    assert flow.dtype == np.float32
    assert 0.8 * peak - FLOW_STEP <= np.hypot(*flow).max() <= peak + FLOW_STEP
    np.testing.assert_array_equal(flow / FLOW_STEP, np.round(flow / FLOW_STEP))


def test_flow_scales_with_its_peak():
    small, large = (draw_flow(np.random.default_rng(5), (80, 100), peak) for peak in (2.0, 16.0))
    np.testing.assert_allclose(large, 8 * small, atol=8.5 * FLOW_STEP / 2)


def test_flow_has_a_mean_and_jumps():
    flows = [draw_flow(np.random.default_rng(seed), (200, 200), 8.0) for seed in range(8)]
    assert all(np.hypot(*flow.mean(axis=(1, 2))) > 1 for flow in flows)
    assert 3 < np.mean([np.hypot(*flow).mean() for flow in flows]) < 6
    assert np.median([np.hypot(*np.diff(flow, axis=2)).max() for flow in flows]) > 0.8


# --- the phone ----------------------------------------------------------------------------------------------


def test_grey_light_gives_the_inverse_gains():
    light = np.full((32, 32, 3), 0.25, np.float32)
    signal = phone_exposure(light, CONFIG, np.array([2.0, 1.0, 1.6]), 0.8, corner_light=1.0)
    np.testing.assert_allclose(signal[0::2, 0::2], 0.25 * 0.8 / 2.0, rtol=1e-5)  # R
    np.testing.assert_allclose(signal[0::2, 1::2], 0.25 * 0.8, rtol=1e-5)  # G beside red
    np.testing.assert_allclose(signal[1::2, 0::2], 0.25 * 0.8, rtol=1e-5)  # G beside blue
    np.testing.assert_allclose(signal[1::2, 1::2], 0.25 * 0.8 / 1.6, rtol=1e-5)  # B


def test_levels_are_those_of_zurich():
    config = replace(CONFIG, noise=0)
    ends = np.zeros((16, 32, 3), np.float32)
    ends[:, 16:] = 1
    raw = phone_raw(
        phone_exposure(ends, config, np.array([2.2, 1, 1.7]), 0.8, 1.0), config, np.random.default_rng(0)
    )
    assert raw.dtype == np.uint16
    assert set(raw[:, :8].ravel()) == {63}
    assert set(raw[:, -8:].ravel()) == {1020}  # what is saturated stays white


def test_noise_stays_within_ten_bits():
    config = replace(CONFIG, noise=0.05)
    raw = phone_raw(np.tile(np.float32([0, 1]), (64, 64)), config, np.random.default_rng(0))
    assert raw.min() == 0
    assert raw.max() == 1023


@pytest.mark.parametrize('shot', [5e-4, 1e-2])
@pytest.mark.parametrize('level', [0.1, 0.5])
def test_noise_has_the_models_variance(shot, level):
    config = replace(CONFIG, noise=shot)
    raw = phone_raw(np.full((300, 300), level, np.float32), config, np.random.default_rng(0))
    expected = shot * level + np.exp(1.20) * shot**2.18  # Brooks et al.
    rounding = 1 / 12 / 957**2
    assert raw.var() / 957**2 == pytest.approx(expected + rounding, rel=0.03)
    assert noise_variance(np.float64(level), shot) == pytest.approx(expected)


def test_no_noise():
    signal = np.random.default_rng(0).random((8, 8), dtype=np.float32)
    config = replace(CONFIG, noise=0)
    raws = [phone_raw(signal, config, np.random.default_rng(seed)) for seed in (0, 1)]
    np.testing.assert_array_equal(*raws)
    np.testing.assert_allclose(raws[0], 63 + 957 * signal, atol=0.5001)


def test_vignette_is_cos4_about_the_frames_centre():
    light = vignette((41, 61), 0.5)
    assert light[20, 30] == 1
    np.testing.assert_allclose(light[[0, 0, -1, -1], [0, -1, 0, -1]], 0.5, rtol=1e-6)
    np.testing.assert_allclose(light, light[::-1, ::-1], rtol=1e-6)
    corner = np.arccos(0.5**0.25)  # angle at which cos^4 is a half
    angle = np.arctan(np.tan(corner) * 10 / np.hypot(20, 30))
    assert light[20, 40] == pytest.approx(np.cos(angle) ** 4, rel=1e-5)


def test_phone_matrix_keeps_white_and_mixes_colours():
    np.testing.assert_allclose(phone_matrix(1) @ NEUTRAL, NEUTRAL)
    np.testing.assert_array_equal(phone_matrix(0), np.eye(3))
    assert np.abs(phone_matrix(1) - np.eye(3)).max() > 0.2


def test_linearise_undoes_tone_curve_and_gamma():
    light = np.linspace(0, 1, 65, dtype=np.float32)
    np.testing.assert_allclose(linearise(smoothstep(light ** (1 / 2.2))), light, atol=2e-6)


# --- the DSLR and the colours of both -----------------------------------------------------------------------


def test_dslr_is_always_the_same_and_warm():
    light = np.full((16, 16, 3), 0.2, np.float32)
    photo = dslr_photo(light, CONFIG)
    np.testing.assert_array_equal(photo, dslr_photo(light, CONFIG))
    red, green, blue = photo[8, 8]
    assert red > green > blue


def test_dslr_sharpens():
    step = np.full((16, 16, 3), 0.1, np.float32)
    step[:, 8:] = 0.3
    sharp, plain = (dslr_photo(step, replace(CONFIG, sharpening=amount)) for amount in (0.6, 0.0))
    assert np.ptp(sharp[8, :, 1]) > np.ptp(plain[8, :, 1]) + 0.02


def test_colours_differ_severely_and_mildly():
    differences = {}
    for strength in (0.0, 0.5, 1.0):
        config = replace(CONFIG, colour_strength=strength, max_displacement=0)
        pair = render_scene(config, draw_scene(config, 'flower', 0))
        raw = torch.from_numpy((pair.mosaic.astype(np.float32) - 63).clip(0) / 957)[None, None]
        shown = demosaic_bilinear(raw)[0].permute(1, 2, 0).numpy() ** (1 / 2.2)
        differences[strength] = psnr(shown, pair.aligned / 255)
    assert differences[1.0] < 17
    assert differences[0.0] > differences[0.5] + 1 > differences[1.0] + 2


# --- scenes and photographs ---------------------------------------------------------------------------------


def test_scene_does_not_depend_on_what_is_swept():
    scene = draw_scene(CONFIG, 'coffee', 3)
    swept = replace(CONFIG, max_displacement=20, noise=0, colour_strength=0)
    assert draw_scene(swept, 'coffee', 3) == scene
    assert draw_scene(replace(CONFIG, seed=1), 'coffee', 3) != scene
    assert draw_scene(CONFIG, 'coffee', 4) != scene


@pytest.mark.parametrize('patch_size', [64, 448])
@pytest.mark.parametrize('name', ['chelsea', 'motorcycle_left'])
def test_patches_lie_in_the_frame_and_the_frame_in_the_photograph(name, patch_size):
    config = replace(CONFIG, patch_size=patch_size, max_displacement=20)
    size = np.array(read_photograph(name).shape[:2])
    for index in range(4):
        scene = draw_scene(config, name, index)
        origins = np.array(scene.origins(patch_size))
        assert len(np.unique(origins, axis=0)) == len(origins) >= 1
        assert not (origins % 2).any()
        assert not (np.array(scene.frame_size) % 2).any()
        assert (origins >= 0).all()
        assert (origins + patch_size <= scene.frame_size).all()
        corner = np.array(scene.corner)
        assert (corner >= 20).all()
        assert (corner + scene.frame_size + 20 <= np.round(size * scene.zoom)).all()


def test_small_photographs_are_enlarged_just_enough():
    scene = draw_scene(replace(CONFIG, patch_size=448), 'chelsea', 0)
    assert scene.frame_size[0] == 448
    assert scene.zoom == pytest.approx((448 + 2 * 24) / 300)


@pytest.mark.parametrize('name', PHOTOGRAPHS)
def test_photographs_are_colour_pictures(name):
    image = read_photograph(name)
    assert image.dtype == np.float32
    assert min(image.shape[:2]) >= 300
    assert 0 <= image.min() < 0.1 < 0.9 < image.max() <= 1
    assert np.ptp(image, axis=2).mean() > 0.05


def test_resize_keeps_the_range():
    image = np.random.default_rng(0).integers(0, 2, (20, 30, 3)).astype(np.float32)
    assert resize(image, 1) is image
    for factor, shape in ((0.5, (10, 15, 3)), (1.5, (30, 45, 3))):
        resized = resize(image, factor)
        assert resized.shape == shape
        assert resized.min() >= 0
        assert resized.max() <= 1


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        (Photograph('skimage', 'data/none.png'), r'none\.png.*pip install --force-reinstall scikit-image'),
        (
            Photograph('no_such_package', 'a.png'),
            r'no_such_package.*not installed.*pip install no_such_package',
        ),
    ],
)
def test_missing_photograph_says_what_to_install(monkeypatch, place, message):
    monkeypatch.setitem(photographs.PHOTOGRAPHS, 'gone', place)
    with pytest.raises(FileNotFoundError, match=message):
        read_photograph('gone')


def test_unknown_photograph_is_answered_with_the_known():
    with pytest.raises(ValueError, match=r"'lena' is not known: expected one of astronaut, chelsea"):
        read_photograph('lena')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'patch_size': 65}, 'patch_size: expected an even number'),
        ({'patch_size': 8}, 'at least 16'),
        ({'colour_strength': 1.5}, r'colour_strength: expected a value in \[0, 1\], found 1.5'),
        ({'max_displacement': -1}, 'max_displacement: expected a value of at least 0'),
        ({'noise': -1e-3}, 'noise: expected'),
        ({'white_level': 1024}, 'levels: expected 0 <= black < white'),
        ({'train_photographs': ('chelsea',)}, 'photographs of both splits: chelsea'),
    ],
)
def test_senseless_configurations_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SimulationConfig(**arguments)


# --- on disk ------------------------------------------------------------------------------------------------


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()
    }


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return simulate_dataset(tmp_path_factory.mktemp('simulated') / 'data', CONFIG, 8, 4, progress=False)


def test_dataset_has_the_layout_of_zurich(dataset):
    assert sorted(path.name for path in dataset.iterdir()) == ['simulation.json', 'test', 'train']
    # data sets that were made before hues could be turned have no such setting, and are still the same
    assert 'hue' not in json.loads((dataset / 'simulation.json').read_text())['config']
    for split, count in (('train', 8), ('test', 4)):
        for kind, suffix in (('huawei_raw', 'png'), ('canon', 'jpg'), ('aligned', 'png'), ('flow', 'png')):
            names = {path.name for path in (dataset / split / kind).iterdir()}
            assert names == {f'{number}.{suffix}' for number in range(count)}
    raw = cv2.imread(str(dataset / 'train/huawei_raw/0.png'), cv2.IMREAD_UNCHANGED)
    assert (raw.dtype, raw.shape) == (np.uint16, (64, 64))
    assert raw.max() <= 1023


def test_splits_share_no_photograph(dataset):
    manifests = {
        split: json.loads((dataset / split / 'manifest.json').read_text()) for split in ('train', 'test')
    }
    train, test = (
        {patch['photograph'] for patch in manifests[split]['patches'].values()} for split in manifests
    )
    assert train
    assert test
    assert not train & test
    patch = manifests['train']['patches']['0']
    assert {'scene', 'origin', 'frame_size', 'gains', 'exposure', 'mean_displacement'} <= set(patch)
    assert manifests['train']['config']['patch_size'] == 64


def test_patches_are_windows_of_their_scene(dataset):
    patch = json.loads((dataset / 'test/manifest.json').read_text())['patches']['2']
    pair = render_scene(CONFIG, draw_scene(CONFIG, patch['photograph'], patch['scene']))
    (row, column), (height, width) = patch['origin'], patch['frame_size']
    assert pair.mosaic.shape == (height, width)
    raw = cv2.imread(str(dataset / 'test/huawei_raw/2.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(raw, pair.mosaic[row : row + 64, column : column + 64])
    photo = cv2.imread(str(dataset / 'test/canon/2.jpg'), cv2.IMREAD_COLOR_RGB)
    assert psnr(photo / 255, pair.target[row : row + 64, column : column + 64] / 255) > 33  # JPEG


def test_dataset_is_reproducible_and_kept(dataset, tmp_path):
    again = simulate_dataset(tmp_path / 'deep' / 'again', CONFIG, 8, 4, progress=False)
    assert contents(again) == contents(dataset)
    (again / 'mine.txt').write_text('kept')
    assert simulate_dataset(again, CONFIG, 8, 4) == again
    assert (again / 'mine.txt').exists()
    assert [path.name for path in again.parent.iterdir()] == ['again']


def test_another_configuration_is_refused(dataset):
    with pytest.raises(ValueError, match=r'found seed = 0 \(not 3\)\. Name another folder, or delete'):
        simulate_dataset(dataset, replace(CONFIG, seed=3), 8, 4)
    with pytest.raises(ValueError, match=r'found train = 8 \(not 9\)'):
        simulate_dataset(dataset, CONFIG, 9, 4)


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(ValueError, match='found other files'):
        simulate_dataset(tmp_path, CONFIG, 1, 1)
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


def test_failure_leaves_nothing(tmp_path):
    config = replace(CONFIG, train_photographs=('nobody',))
    with pytest.raises(ValueError, match="'nobody' is not known"):
        simulate_dataset(tmp_path / 'data', config, 1, 1)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match='num_train and num_test'):
        simulate_dataset(tmp_path / 'data', CONFIG, -1, 1)


def test_command_line(tmp_path, capsys):
    path = Path(__file__).parents[2] / 'tools/prepare_data/simulate.py'
    spec = importlib.util.spec_from_file_location('simulate_tool', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    arguments = [str(tmp_path / 'data'), '--train', '1', '--test', '1', '--patch-size', '32']
    assert tool.main([*arguments, '--max-displacement', '3']) == 0
    assert '1 training and 1 test pairs' in capsys.readouterr().out
    assert json.loads((tmp_path / 'data/simulation.json').read_text())['config']['max_displacement'] == 3
    assert tool.main([*arguments, '--noise', '0']) == 1
    assert 'noise = 0.0005 (not 0' in capsys.readouterr().err
