"""Simulated pairs as a data set: made on first use, with the truth."""

import json

import pytest
import torch
from torch.utils.data import DataLoader

from rawtoolbox.datasets import SimulatedZRRDataset, ZRRDataset, synthetic
from rawtoolbox.ops.warp import backward_warp
from rawtoolbox.registry import DATASETS

SMALL = {'num_train': 4, 'num_test': 3, 'simulation': {'patch_size': 64}}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('synthetic') / 'data'
    SimulatedZRRDataset(root, 'train', **SMALL)
    return root


def mean_error(first, second):
    return (first.float() - second.float()).abs().mean().item()


def test_both_splits_are_made(root):
    assert len(SimulatedZRRDataset(root, 'train', **SMALL)) == 4
    assert len(SimulatedZRRDataset(root, 'test', **SMALL)) == 3


def test_item_has_the_truth(root):
    item = SimulatedZRRDataset(root, 'test', **SMALL)[0]
    samples = item['data_samples']
    assert item['inputs']['mosaic'].dtype == torch.uint16
    assert item['inputs']['mosaic'].int().max() <= 1023
    assert (samples['aligned'].shape, samples['aligned'].dtype) == ((3, 64, 64), torch.uint8)
    assert (samples['flow'].shape, samples['flow'].dtype) == ((2, 64, 64), torch.float32)
    assert samples['flow_valid'].shape == (1, 64, 64)
    assert set(samples['flow_valid'].unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize('index', [0, 1, 2])
def test_target_warped_by_the_flow_is_aligned(root, index):
    samples = SimulatedZRRDataset(root, 'test', **SMALL)[index]['data_samples']
    target, flow = samples['target'][None].double(), samples['flow'][None].double()
    warped, coverage = backward_warp(target, flow)
    seen = samples['flow_valid'][0] > 0
    assert 0.5 < seen.double().mean() < 1
    assert (coverage[0, 0][seen] > 0.999).all()
    aligned = samples['aligned'][:, seen]
    assert mean_error(warped[0][:, seen], aligned) < 4  # of 255: JPEG, and bilinear for bicubic
    assert mean_error(warped[0][:, seen], aligned) < 0.5 * mean_error(samples['target'][:, seen], aligned)


def test_place_is_that_of_the_manifest(root):
    meta = SimulatedZRRDataset(root, 'test', **SMALL)[2]['data_samples']['meta']
    patch = json.loads((root / 'test/manifest.json').read_text())['patches']['2']
    assert meta['origin'].tolist() == patch['origin']
    assert meta['frame_size'].tolist() == patch['frame_size']
    assert (meta['origin'] + 64 <= meta['frame_size']).all()


def test_it_is_read_as_zurich_too(root):
    simulated, plain = SimulatedZRRDataset(root, 'train', **SMALL), ZRRDataset(root, 'train', patch_size=64)
    assert set(plain[1]['data_samples']) == {'meta', 'target'}
    assert torch.equal(plain[1]['inputs']['mosaic'].int(), simulated[1]['inputs']['mosaic'].int())
    assert simulated.metainfo['dataset'] == 'SimulatedZRRDataset'


def test_default_collate_makes_batches(root):
    batch = next(iter(DataLoader(SimulatedZRRDataset(root, 'train', **SMALL), batch_size=4)))
    assert batch['data_samples']['flow'].shape == (4, 2, 64, 64)
    assert batch['data_samples']['meta']['frame_size'].shape == (4, 2)


def test_another_simulation_is_refused(root):
    with pytest.raises(ValueError, match=r'found max_displacement = 8\.0 \(not 12\.0\)'):
        SimulatedZRRDataset(root, 'train', 4, 3, {'patch_size': 64, 'max_displacement': 12.0})


def test_lists_in_a_config_are_tuples(root):
    config = {**SMALL, 'simulation': {'patch_size': 64, 'zoom': [0.8, 1.0], 'max_displacement': 8.0}}
    dataset = DATASETS.build(
        {'type': 'SimulatedZRRDataset', 'data_root': str(root), 'split': 'test', **config}
    )
    assert len(dataset) == 3


def test_truth_without_partner_is_found(root, tmp_path):
    for folder in ('huawei_raw', 'canon', 'aligned'):
        (tmp_path / 'train' / folder).mkdir(parents=True)
        for path in (root / 'train' / folder).iterdir():
            (tmp_path / 'train' / folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / 'train/aligned/2.png').unlink()
    with pytest.raises(ValueError, match=r'aligned: expected a partner.*without: 2\.png'):
        ZRRDataset(tmp_path, 'train', patch_size=64, with_truth=True)


def test_unknown_setting():
    with pytest.raises(TypeError, match='displacement'):
        SimulatedZRRDataset('unused', simulation={'displacement': 3})


@pytest.mark.parametrize('main', [True, False])
def test_other_processes_wait_for_the_first(tmp_path, monkeypatch, main):
    """Whoever is first makes the pairs before the barrier, the others look for them after it."""
    made_at_barrier = []
    monkeypatch.setattr(synthetic, 'is_main_process', lambda: main)
    monkeypatch.setattr(synthetic, 'barrier', lambda: made_at_barrier.append((tmp_path / 'data').exists()))
    assert len(SimulatedZRRDataset(tmp_path / 'data', 'test', 1, 1, {'patch_size': 32})) == 1
    assert made_at_barrier == [main]


def test_failure_lets_the_others_go_on(tmp_path, monkeypatch):
    passed = []
    monkeypatch.setattr(synthetic, 'barrier', lambda: passed.append(True))
    with pytest.raises(ValueError, match='nobody'):
        SimulatedZRRDataset(tmp_path / 'data', 'test', 1, 1, {'test_photographs': ('nobody',)})
    assert passed == [True]
