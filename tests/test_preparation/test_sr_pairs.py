"""SR-RAW from its original files: lined up, cut, balanced as LibRaw does it, and told of where it cannot be."""

import runpy

import cv2
import numpy as np
import pytest
import rawpy
import torch
from conftest import ROOT

from rawtoolbox.datasets import SRRAWDataset
from rawtoolbox.preparation.sr_raw.alignment import PairError, central_window, covered_box, find_affine
from rawtoolbox.preparation.sr_raw.prepare import prepare_sr_raw, split_scenes, white_balance
from rawtoolbox.raw import read_raw
from rawtoolbox.simulation.photographs import read_photograph
from rawtoolbox.simulation.sr_raw import simulate_original_scene

TOOL = ROOT / 'tools' / 'prepare_data' / 'sr_raw.py'


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp('sr_raw') / 'original'
    for number, photograph in enumerate(('china', 'astronaut', 'hopper'), start=1):
        simulate_original_scene(root / f'{number:05d}', 320, photograph, shake=1.0)
    return root


@pytest.fixture(scope='module')
def prepared(original):
    out = original.parent / 'prepared'
    assert prepare_sr_raw(original, out, (1, 1)) == {}
    return out


def offset(first, second):
    """How far a picture lies from another, in pixels."""
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (first, second)]
    return np.hypot(*cv2.phaseCorrelate(*greys, cv2.createHanningWindow(greys[0].shape[::-1], cv2.CV_32F))[0])


def test_pairs_are_lined_up_and_four_to_one(original, prepared):
    for split in ('train', 'val', 'test'):
        dataset = SRRAWDataset(prepared, split, with_rgb=True, expected_scenes=1)
        assert [item['data_samples']['meta']['name'][-5:] for item in dataset] == ['00005', '00006', '00007']
        for item in dataset:
            photo, target = (
                image.permute(1, 2, 0).numpy()
                for image in (item['inputs']['rgb'], item['data_samples']['target'])
            )
            assert target.shape[0] == 4 * photo.shape[0] == 4 * item['inputs']['mosaic'].shape[1]
            assert offset(photo, cv2.resize(target, photo.shape[1::-1], interpolation=cv2.INTER_AREA)) < 0.3
    scene = original / '00001'  # before: the same two photos, zoomed only
    photo, target = (cv2.imread(str(scene / name))[..., ::-1] for name in ('00006.JPG', '00002.JPG'))
    top, left, height, width = central_window(photo.shape[:2], photo.shape[:2], 150 / 35)
    assert offset(photo[top : top + height, left : left + width], cv2.resize(target, (width, height))) > 0.8


def test_the_mosaic_is_that_of_the_file(original, prepared):
    mosaic = SRRAWDataset(prepared, 'train', pairs=('24/100',))[0]['inputs']['mosaic'][0].numpy()
    whole = read_raw(original / '00001' / '00007.DNG').mosaic
    height, width = mosaic.shape
    windows = np.lib.stride_tricks.sliding_window_view(whole, (height, width))[::2, ::2]
    assert (windows == mosaic).all(axis=(2, 3)).any()
    assert 0.7 * 320 / 10 < height <= 320 / 10  # the field of view of 240 mm in the image of 24 mm


def test_white_balance_is_what_libraw_makes_of_it(original):
    file = original / '00002' / '00006.DNG'
    means = []
    for balanced in (True, False):
        with rawpy.imread(str(file)) as raw:
            image = raw.postprocess(gamma=(1, 1), no_auto_bright=True, use_camera_wb=balanced, output_bps=16)
        means.append(image.mean(axis=(0, 1)))
    red, green, blue = means[0] / means[1]
    assert white_balance(read_raw(file)) == pytest.approx((red, green, green, blue), rel=0.05)


def test_an_affine_map_is_found():
    photograph = (read_photograph('astronaut')[:256, :256] * 255).astype(np.uint8)
    truth = np.array([[1.01, 0.02, 3.0], [-0.015, 0.99, -4.0]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(photograph, truth, (256, 256), flags=flags, borderMode=cv2.BORDER_REFLECT)
    found, correlation = find_affine(moved, (photograph * 0.7 + 20).astype(np.uint8))
    corners = np.array([[0, 255, 0, 255], [0, 0, 255, 255], [1, 1, 1, 1]])
    assert np.abs(found[:2] @ corners - truth @ corners).max() < 0.2 and correlation > 0.95
    far = np.roll(photograph, 60, axis=1)
    with pytest.raises(PairError, match='pixels apart|did not converge'):
        find_affine(photograph, far)


def test_the_box_is_covered_and_as_large_as_can_be():
    valid = np.zeros((20, 30), bool)
    valid[3:17, 5:29] = True
    assert covered_box(valid) == (4, 16, 6, 28)
    assert covered_box(np.ones((8, 8), bool)) == (0, 8, 0, 8)


def test_splits(tmp_path, original):
    for split, count in (('train', 3), ('test', 2)):
        for number in range(count):
            (tmp_path / split / f'{number:05d}').mkdir(parents=True)
    assert [split for split, _ in split_scenes(tmp_path, 1, 0)] == ['train', 'train', 'val', 'test', 'test']
    assert [split for split, _ in split_scenes(original, 1, 1)] == ['train', 'val', 'test']
    with pytest.raises(
        ValueError, match='expected more than 4 scenes, of which 2 are for validation, found 3'
    ):
        list(split_scenes(original, 2, 2))
    with pytest.raises(FileNotFoundError, match=r'expected scenes \(folders with 00001\.ARW'):
        list(split_scenes(tmp_path / 'none', 1, 1))


def test_the_tool_says_what_is_left_out_and_goes_on(tmp_path, original, monkeypatch, capsys):
    root = tmp_path / 'train'
    (tmp_path / 'test').mkdir()
    for number in (1, 2):
        (root / f'{number:05d}').mkdir(parents=True)
        for file in (original / '00001').iterdir():
            (root / f'{number:05d}' / file.name).symlink_to(file)
    (root / '00002' / '00006.JPG').unlink()
    noise = np.random.default_rng(0).integers(0, 255, (320, 320, 3), np.uint8)
    (root / '00002' / '00003.JPG').unlink()
    cv2.imwrite(str(root / '00002' / '00003.JPG'), noise)

    def run(*options):
        monkeypatch.setattr(
            'sys.argv', [str(TOOL), str(tmp_path), str(tmp_path / 'out'), '--val', '1', *options]
        )
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name='__main__')
        return stop.value.code, capsys.readouterr()

    status, printed = run('--field', 'target')
    assert status == 1 and printed.out.endswith('out: 2 pairs left out.\n')
    assert (
        'left out: 00002/00006: ' in printed.err
        and 'expected 00006 with the suffix .jpg or .jpeg' in printed.err
    )
    assert 'left out: 00002/00007: ' in printed.err
    assert len(SRRAWDataset(tmp_path / 'out', 'val')) == 1
    wide = SRRAWDataset(tmp_path / 'out', 'train', pairs=('24/100',))[0]['inputs']['mosaic']
    assert wide.shape[1] > 60  # all that the target shows
    before = (tmp_path / 'out' / 'train' / '00001').stat().st_mtime_ns
    status, printed = run()
    assert status == 0 and printed.out.endswith('all pairs prepared.\n')  # what is there is kept
    assert (tmp_path / 'out' / 'train' / '00001').stat().st_mtime_ns == before
    assert torch.equal(
        SRRAWDataset(tmp_path / 'out', 'train', pairs=('24/100',))[0]['inputs']['mosaic'], wide
    )
    assert not list((tmp_path / 'out').rglob('.*'))
