"""SR-RAW: simulated scenes in the published layout, read, cropped, developed; and files that are wrong."""

import numpy as np
import pytest
import torch
from golden_tools import load
from torch.utils.data import DataLoader

from rawtoolbox.backbones import SRResNet
from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.datasets import PatchSampler, SRRAWDataset
from rawtoolbox.datasets.sr_raw import read_white_balance, to_mosaic
from rawtoolbox.files.layouts import pack_sr_raw
from rawtoolbox.models import RawPreprocessor
from rawtoolbox.simulation.sr_raw import render_sr_pair, simulate_sr_raw, sr_config

PACKED = ('R', 'Gr', 'B', 'Gb')


@pytest.fixture(scope='module')
def config():
    return sr_config(crop=32)


@pytest.fixture(scope='module')
def root(tmp_path_factory, config):
    return simulate_sr_raw(tmp_path_factory.mktemp('sr') / 'data', config, {'train': 2, 'test': 1})


def test_reads_what_was_simulated(root, config):
    dataset = SRRAWDataset(root, 'test', pairs=('35/150',), with_rgb=True, expected_scenes=1)
    pair = render_sr_pair(config, config.test_photographs[0], 1)
    item = dataset[0]
    assert len(dataset) == 1 and item['data_samples']['meta']['name'] == '00001-00006'
    assert torch.equal(item['inputs']['mosaic'][0], torch.from_numpy(pair.mosaic))
    assert torch.equal(item['data_samples']['target'], torch.from_numpy(pair.target).permute(2, 0, 1))
    assert torch.equal(item['inputs']['rgb'], torch.from_numpy(pair.photo).permute(2, 0, 1))
    assert item['inputs']['white_balance'].tolist() == pytest.approx(pair.gains)


def test_every_sensor_value_survives_the_normalised_file():
    values = np.arange(0, 16384, dtype=np.uint16).reshape(128, 128)
    assert torch.equal(to_mosaic(pack_sr_raw(values, 512, 16383), 512, 16383)[0], torch.from_numpy(values))


def test_packs_and_demosaics_as_the_official_code():
    golden = load('preprocess').arrays
    packed = np.maximum(golden['zlz.reshape_raw_hwc'], 0)
    mosaic = to_mosaic(golden['zlz.reshape_raw_hwc'], 512, 16383)
    assert torch.equal(mosaic[0], torch.from_numpy(golden['zlz.in.mosaic14'].astype(np.uint16)))
    preprocessor = RawPreprocessor(512, 16383, raw_input=SRResNet.raw_input, demosaic_border='official')
    out = preprocessor({'inputs': {'mosaic': mosaic[None]}})['inputs']
    assert torch.allclose(out['raw'][0], torch.from_numpy(packed).permute(2, 0, 1), atol=1e-6)
    assert torch.allclose(out['raw'][0], torch.from_numpy(golden['srraw.raw_chw']), atol=1e-6)
    assert torch.allclose(out['source'][0], torch.from_numpy(golden['srraw.raw_demosaic_chw']), atol=1e-6)


def test_crops_of_raw_photo_and_target_are_of_one_place(root):
    whole, cropped = (SRRAWDataset(root, 'train', crop_size=size, with_rgb=True) for size in (None, 16))
    full, part = whole[1], cropped[1, 7]
    y, x = part['data_samples']['meta']['origin'].tolist()
    assert (y, x) != (8, 8) and y % 2 == x % 2 == 0
    for key in ('mosaic', 'rgb'):
        assert torch.equal(part['inputs'][key], full['inputs'][key][:, y : y + 16, x : x + 16])
    window = full['data_samples']['target'][:, 4 * y : 4 * y + 64, 4 * x : 4 * x + 64]
    assert torch.equal(part['data_samples']['target'], window)
    assert part['data_samples']['meta']['frame_size'].tolist() == [32, 32]
    assert cropped[1]['data_samples']['meta']['origin'].tolist() == [8, 8]  # without a draw: the centre
    assert cropped[1, 7]['data_samples']['meta']['origin'].tolist() == [y, x]


def test_sampler_is_a_function_of_seed_and_epoch(root):
    dataset = SRRAWDataset(root, 'train', crop_size=16)
    sampler, again = (PatchSampler(dataset, length=15, seed=3) for _ in range(2))
    first = list(sampler)
    assert len(first) == len(sampler) == 15 and first == list(again)
    assert [sorted(index for index, _ in first[start : start + 6]) for start in (0, 6)] == [
        list(range(6))
    ] * 2
    sampler.set_epoch(1)
    assert list(sampler) != first
    batch = next(iter(DataLoader(dataset, batch_size=4, sampler=sampler)))
    assert batch['inputs']['mosaic'].shape == (4, 1, 16, 16) and batch['inputs']['white_balance'].shape == (
        4,
        3,
    )
    with pytest.raises(ValueError, match='length: expected at least 1'):
        PatchSampler(dataset, length=0)


def test_white_balance_reaches_source_and_output(root):
    batch = next(iter(DataLoader(SRRAWDataset(root, 'test'), batch_size=3)))
    plain = {'inputs': {'mosaic': batch['inputs']['mosaic']}}
    preprocessor = RawPreprocessor(512, 16383, raw_input=RawInput(order=PACKED, scale=8))
    balanced, raw = preprocessor(batch)['inputs'], preprocessor(plain)['inputs']
    gains = batch['inputs']['white_balance'][..., None, None]
    assert torch.equal(balanced['raw'], raw['raw']) and 'gain' not in raw
    assert torch.allclose(balanced['source'], raw['source'] * gains)
    assert torch.allclose(balanced['gain'], gains ** (1 / 2.2))
    light = (batch['data_samples']['target'] / 255).pow(2.2).mean(dim=(2, 3))
    casts = [
        (image.mean(dim=(2, 3)) / light).log().std(dim=1).mean()
        for image in (balanced['source'], raw['source'])
    ]
    assert casts[0] < casts[1]  # the colour of the light is undone, the camera's own remains
    with pytest.raises(ValueError, match=r'white_balance: expected the shape \(3 3\), found \(3 4\)'):
        preprocessor({'inputs': {**plain['inputs'], 'white_balance': torch.ones(3, 4)}})
    with pytest.raises(ValueError, match='white_balance: expected positive gains'):
        preprocessor({'inputs': {**plain['inputs'], 'white_balance': torch.zeros(3, 3)}})


def test_a_network_of_srgb_images_gets_the_photo(root):
    preprocessor = RawPreprocessor(512, 16383, raw_input=RawInput(layout='rgb', scale=4), augment='bayer')
    batch = next(iter(DataLoader(SRRAWDataset(root, 'test', with_rgb=True), batch_size=3)))
    out = preprocessor(batch)
    assert torch.equal(out['inputs']['raw'], batch['inputs']['rgb'] / 255)
    assert 'gain' not in out['inputs'] and 'rgb' not in out['data_samples']
    assert out['data_samples']['target'].shape[-1] == 4 * out['inputs']['raw'].shape[-1]
    trained = preprocessor(batch, training=True)['inputs']
    encoded = trained['source'].clamp(0, 1) ** (1 / 2.2)
    stacked = [
        torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        for a, b in zip(encoded, trained['raw'], strict=True)
    ]
    assert min(stacked) > 0.7  # flipped alike
    alone = preprocessor({'inputs': {'rgb': batch['inputs']['rgb']}})['inputs']
    assert torch.equal(alone['raw'], out['inputs']['raw']) and alone['coord'].shape == (3, 2, 32, 32)
    assert torch.allclose(alone['source'] ** (1 / 2.2), alone['raw'], atol=1e-5)
    with pytest.raises(ValueError, match=r'takes an sRGB image.*with_rgb=True'):
        preprocessor({'inputs': {'mosaic': batch['inputs']['mosaic']}})
    with pytest.raises(ValueError, match='expected a mosaic, found none'):
        RawPreprocessor()({'inputs': {'rgb': batch['inputs']['rgb']}})


def test_names_with_paths_in_wb_txt(tmp_path):
    file = tmp_path / 'wb.txt'
    file.write_text('WB\n/data/train/00001//00006:\n2.0 1.0 1.0 1.5\nC:\\data\\00007:\n1 1 1 2\n')
    assert read_white_balance(file) == {'00006': (2.0, 1.0, 1.0, 1.5), '00007': (1.0, 1.0, 1.0, 2.0)}
    for numbers in ('2 1 1', 'a b c d', '0 1 1 1', ''):
        file.write_text(f'WB\n00006:\n{numbers}\n')
        with pytest.raises(ValueError, match=r"wb\.txt: expected four positive gains .* after '00006:'"):
            read_white_balance(file)


def test_says_what_is_wrong(tmp_path, config):
    with pytest.raises(FileNotFoundError, match=r'train: expected a folder of scenes, found none\. Download'):
        SRRAWDataset(tmp_path)
    with pytest.raises(ValueError, match="split: expected one of train, val, test, found 'all'"):
        SRRAWDataset(tmp_path, 'all')
    with pytest.raises(ValueError, match='crop_size: expected an even number of at least 16, found 15'):
        SRRAWDataset(tmp_path, crop_size=15)
    root = simulate_sr_raw(tmp_path / 'data', config, {'train': 1})
    scene = root / 'train' / '00001'
    with pytest.raises(ValueError, match=r'pairs: expected some of 50/240, 35/150, 24/100, found 24/240'):
        SRRAWDataset(root, pairs=('24/240',))
    with pytest.raises(ValueError, match='expected 400 scenes .* found 1'):
        SRRAWDataset(root, expected_scenes=400)
    with pytest.raises(ValueError, match=r'00005\.npy: 32x32 sensor pixels are less than crop_size=64'):
        SRRAWDataset(root, crop_size=64)[0]
    (scene / 'input_x4_rgb' / '00006.png').unlink()
    with pytest.raises(FileNotFoundError, match="00006.png: expected the camera's photo"):
        SRRAWDataset(root, with_rgb=True)
    np.save(scene / 'input_x4_raw' / '00006.npy', np.zeros((16, 16, 3), np.float32))
    with pytest.raises(
        ValueError, match=r'00006\.npy: expected a \(h, w, 4\) array of floats .* found \(16, 16, 3\)'
    ):
        SRRAWDataset(root)
    np.save(scene / 'input_x4_raw' / '00006.npy', np.zeros((8, 16, 4), np.float32))
    with pytest.raises(ValueError, match=r'00006\.png: expected 64x128 pixels .* found 128x128'):
        SRRAWDataset(root)
    (scene / 'input_x4_raw' / '00006.npy').write_bytes(b'cut')
    with pytest.raises(ValueError, match=r'00006\.npy: expected an array file'):
        SRRAWDataset(root)
    (scene / 'wb.txt').write_text('WB\n00005:\n1 1 1 1\n')
    with pytest.raises(
        ValueError, match=r'wb\.txt: expected white-balance gains of 00006, found those of 00005'
    ):
        SRRAWDataset(root)
