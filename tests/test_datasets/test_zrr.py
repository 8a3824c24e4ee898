"""Pairs on disk: what an item holds, and what is said about each kind of bad file."""

import json
import re

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from rawtoolbox.datasets import OFFICIAL_COUNTS, ZRRDataset
from rawtoolbox.registry import DATASETS

SIZE = (32, 48)
RNG = np.random.default_rng(0)


def save(path, image, *options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image, list(options))[1].tobytes())


def mosaic(size=SIZE):
    return RNG.integers(0, 1024, size).astype(np.uint16)


def photo(size=SIZE):
    return cv2.GaussianBlur(RNG.integers(0, 256, (*size, 3)).astype(np.uint8), (0, 0), 3)


@pytest.fixture
def root(tmp_path):
    for number in range(12):
        save(tmp_path / f'zrr/train/huawei_raw/{number}.png', mosaic())
        save(tmp_path / f'zrr/train/canon/{number}.jpg', photo())
    return tmp_path / 'zrr'


def build(root, **arguments):
    return ZRRDataset(root, **{'patch_size': SIZE, **arguments})


# --- items --------------------------------------------------------------------------------------------------


def test_item_holds_what_the_files_hold(root):
    dataset = build(root)
    item = dataset[10]
    assert len(dataset) == 12
    assert item['data_samples']['meta']['name'] == '10'
    raw, target = item['inputs']['mosaic'], item['data_samples']['target']
    assert (raw.shape, raw.dtype) == ((1, *SIZE), torch.uint16)
    assert (target.shape, target.dtype) == ((3, *SIZE), torch.uint8)
    stored = cv2.imread(str(root / 'train/huawei_raw/10.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(raw[0].numpy(), stored)
    bgr = cv2.imread(str(root / 'train/canon/10.jpg'))
    np.testing.assert_array_equal(target.numpy(), bgr[..., ::-1].transpose(2, 0, 1))


def test_names_are_sorted_by_number(root):
    assert build(root).names == [str(number) for number in range(12)]


def test_place_is_the_patch_itself_without_a_manifest(root):
    meta = build(root)[0]['data_samples']['meta']
    assert meta['origin'].tolist() == [0, 0]
    assert meta['frame_size'].tolist() == list(SIZE)


def test_place_comes_from_the_manifest(root):
    patches = {'3': {'origin': [100, 200], 'frame_size': [2976, 3968], 'scene': 'x'}}
    (root / 'train/manifest.json').write_text(json.dumps({'patches': patches}))
    dataset = build(root)
    assert dataset[3]['data_samples']['meta']['origin'].tolist() == [100, 200]
    assert dataset[3]['data_samples']['meta']['frame_size'].tolist() == [2976, 3968]
    assert dataset[4]['data_samples']['meta']['frame_size'].tolist() == list(SIZE)


def test_default_collate_makes_batches(root):
    batch = next(iter(DataLoader(build(root), batch_size=3)))
    assert batch['inputs']['mosaic'].shape == (3, 1, *SIZE)
    assert batch['inputs']['mosaic'].dtype == torch.uint16
    assert batch['data_samples']['meta']['name'] == ['0', '1', '2']
    assert batch['data_samples']['meta']['origin'].shape == (3, 2)


def test_full_resolution_frames_have_no_target(root):
    save(root / 'test/huawei_full_resolution/1167.png', mosaic((60, 80)))
    save(root / 'test/huawei_full_resolution/252.png', mosaic((64, 80)))
    dataset = ZRRDataset(root, 'test', None, raw_dir='huawei_full_resolution', target_dir=None)
    assert dataset.names == ['252', '1167']
    assert dataset[1]['inputs']['mosaic'].shape == (1, 60, 80)
    assert set(dataset[1]['data_samples']) == {'meta'}


def test_registry_and_metainfo(root):
    dataset = DATASETS.build(
        {
            'type': 'ZRRDataset',
            'data_root': str(root),
            'patch_size': list(SIZE),
            'bit_depth': 12,
        }
    )
    assert dataset.metainfo == {'dataset': 'ZRRDataset', 'split': 'train', 'bit_depth': 12}


def test_names_limit(root):
    assert build(root, names=3).names == ['0', '1', '2']
    assert build(root, names=['7', '2']).names == ['7', '2']


def test_other_files_in_the_folders_are_passed_over(root):
    (root / 'train/huawei_raw/Thumbs.db').write_bytes(b'x')
    assert len(build(root)) == 12


def test_official_counts_are_the_papers():
    assert OFFICIAL_COUNTS == {'train': 46839, 'test': 1204}


def test_orientation_in_exif_is_ignored(root):
    path = root / 'train/canon/0.jpg'
    data = path.read_bytes()
    tiff = (
        b'Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'  # orientation 6: rotated
    )
    path.write_bytes(data[:2] + b'\xff\xe1' + (len(tiff) + 2).to_bytes(2, 'big') + tiff + data[2:])
    assert build(root)[0]['data_samples']['target'].shape == (3, *SIZE)


# --- arguments and folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'split': 'val'}, "split: expected 'train' or 'test', found 'val'"),
        ({'bit_depth': 0}, 'bit_depth: expected 1 to 16, found 0'),
        ({'check_headers': 'some'}, "check_headers: expected 'sample', 'all' or 'none'"),
        ({'expected_count': 46839}, 'expected 46839 pairs, found 12. Download or extract'),
        ({'names': 13}, r'names: expected 1 to 12 \(.*\), found 13'),
        ({'names': 0}, 'names: expected 1 to 12'),
        ({'names': ['3', '99']}, 'names: expected names of pairs in .*, found 99'),
        ({'names': []}, 'found none'),
    ],
)
def test_bad_arguments(root, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(root, **arguments)


def test_missing_root_says_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        build(tmp_path / 'nowhere')
    message = str(error.value)
    assert message.startswith(f'{tmp_path / "nowhere"}: expected the data set, found no such folder.')
    for part in ('people.ee.ethz.ch/~ihnatova/pynet.html', str(tmp_path / 'nowhere/train'), 'simulate.py'):
        assert part in message
    assert '\n' not in message


def test_missing_split(root):
    with pytest.raises(FileNotFoundError, match=r'zrr/test: expected the test split'):
        build(root, split='test')


def test_missing_folder_lists_those_there(root):
    with pytest.raises(
        FileNotFoundError, match=r'sony: expected a folder of images.*there: canon, huawei_raw'
    ):
        build(root, raw_dir='sony')


def test_empty_folder(root):
    for path in (root / 'train/canon').iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r'canon: expected images, found none'):
        build(root)


@pytest.mark.parametrize(
    ('kind', 'suffix', 'lacking'), [('canon', 'jpg', 'canon'), ('huawei_raw', 'png', 'huawei_raw')]
)
def test_unpaired_files_are_named(root, kind, suffix, lacking):
    for number in (10, 2, 3, 4, 5, 6):
        (root / f'train/{kind}/{number}.{suffix}').unlink()
    other = {'jpg': 'png', 'png': 'jpg'}[suffix]
    expected = ', '.join(f'{number}.{other}' for number in (2, 3, 4, 5, 6)) + ', ...'
    with pytest.raises(
        ValueError, match=f'{lacking}: expected a partner.*found 6 without: {re.escape(expected)}'
    ):
        build(root)


def test_two_files_of_one_name(root):
    save(root / 'train/canon/3.png', photo())
    with pytest.raises(ValueError, match='expected one image a name'):
        build(root)


def test_truth_that_is_not_there(root):
    with pytest.raises(FileNotFoundError, match='with_truth=False'):
        build(root, with_truth=True)


@pytest.mark.parametrize('text', ['{', '[]', '{"patches": {"0": {"origin": [0, 0]}}}', '{"patches": [1]}'])
def test_bad_manifest(root, text):
    (root / 'train/manifest.json').write_text(text)
    with pytest.raises(ValueError, match=r'manifest\.json: expected \{"patches"'):
        build(root)


# --- files --------------------------------------------------------------------------------------------------


def spoil(root, kind, image=None, data=None, number=1, options=()):
    """Replaces a file in the middle of the set, and builds without looking at it."""
    path = root / f'train/{kind}/{number}.{"png" if kind == "huawei_raw" else "jpg"}'
    if data is None:
        data = cv2.imencode(options[0] if options else path.suffix, image)[1].tobytes()
    path.write_bytes(data)
    return build(root, check_headers='none')


def test_file_that_vanished(root):
    dataset = build(root)
    (root / 'train/canon/1.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'canon/1\.jpg: expected a file, found none'):
        dataset[1]


@pytest.mark.parametrize('kind', ['huawei_raw', 'canon'])
@pytest.mark.parametrize('kept', [0.8, 1.0])
def test_truncated_file(root, kind, kept):
    suffix = 'png' if kind == 'huawei_raw' else 'jpg'
    data = (root / f'train/{kind}/1.{suffix}').read_bytes()
    cut = data[: int(len(data) * kept) - 2]
    with pytest.raises(
        ValueError, match=rf'{kind}/1\.{suffix}: expected a whole \w+ file, found one that is cut off'
    ):
        spoil(root, kind, data=cut)[1]


@pytest.mark.parametrize('kind', ['huawei_raw', 'canon'])
@pytest.mark.parametrize(
    ('data', 'found'),
    [
        (b'<html>not found</html>', "found b'<html>no'"),
        (b'', 'found an empty file'),
        (b'\x89PNG\r\n\x1a\n\0\0', 'cut off in its header'),
        (b'\xff\xd8\xff\xe0\0\x10JFIF', 'cut off in its header'),
    ],
)
def test_file_that_is_no_image(root, kind, data, found):
    with pytest.raises(ValueError, match=f'{kind}.*expected a PNG or JPEG file, .*{found}'):
        spoil(root, kind, data=data)[1]


def test_damaged_pixels(root):
    data = bytearray((root / 'train/huawei_raw/1.png').read_bytes())
    data[len(data) // 2] ^= 0x55
    with pytest.raises(
        ValueError, match=r'huawei_raw/1\.png: expected an image, found one whose pixels are damaged'
    ):
        spoil(root, 'huawei_raw', data=bytes(data))[1]


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (
            (mosaic() >> 2).astype(np.uint8),
            r'16 bits\), found a PNG of 32x48 pixels, one channel, 8 bits: it was',
        ),
        (photo(), r'found a PNG of 32x48 pixels, RGB, 8 bits\. If the folders .* are swapped, swap raw_dir'),
        (mosaic((32, 50)), r'expected 32x48 pixels, found 32x50\. Set patch_size'),
        (mosaic() * 4, r'expected values below 1024 \(bit_depth=10\), found 40\d\d\. .* set bit_depth=12'),
    ],
)
def test_wrong_raw(root, image, message):
    with pytest.raises(ValueError, match=rf'huawei_raw/1\.png: .*{message}'):
        spoil(root, 'huawei_raw', image)[1]


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (
            photo()[..., 0],
            r'expected a photo \(RGB, 8 bits\), found a JPEG of 32x48 pixels, one channel, 8 bits',
        ),
        (photo((16, 16)), 'expected 32x48 pixels, found 16x16'),
    ],
)
def test_wrong_photo(root, image, message):
    with pytest.raises(ValueError, match=rf'canon/1\.jpg: {message}'):
        spoil(root, 'canon', image)[1]


def test_odd_sized_mosaic(root):
    spoil(root, 'huawei_raw', mosaic((31, 48)))
    with pytest.raises(ValueError, match=r'expected a mosaic of even height and width .*, found 31x48'):
        build(root, patch_size=None, check_headers='none')[1]


def test_raw_and_photo_of_different_sizes(root):
    spoil(root, 'canon', photo((64, 96)))
    with pytest.raises(ValueError, match=r'canon/1\.jpg: expected 32x48 pixels, found 64x96'):
        build(root, patch_size=None, check_headers='none')[1]


def test_swapped_folders_are_found_at_construction(root):
    with pytest.raises(
        ValueError, match=r'canon/0\.jpg: expected a raw mosaic .* swap raw_dir and target_dir'
    ):
        build(root, raw_dir='canon', target_dir='huawei_raw')


def test_raws_as_photos(root):
    with pytest.raises(
        ValueError, match=r'expected a photo .*16 bits\. raw_dir and target_dir may be swapped'
    ):
        build(root, target_dir='huawei_raw')


def test_headers_are_checked_as_asked(root):
    spoil(root, 'canon', photo((16, 16)), number=11)
    for which in ('sample', 'all'):  # the last is in every sample
        with pytest.raises(ValueError, match=r'canon/11\.jpg: expected 32x48 pixels, found 16x16'):
            build(root, check_headers=which)
    assert len(build(root, check_headers='none')) == 12


def test_jpeg_with_a_long_preamble(root):
    path = root / 'train/canon/0.jpg'
    data = path.read_bytes()
    block = b'\xff\xe2\xff\xff' + bytes(65533)
    path.write_bytes(data[:2] + block * 2 + data[2:])
    assert build(root)[0]['data_samples']['target'].shape == (3, *SIZE)
