import pytest
from conftest import NUM_TEST, NUM_TRAIN, SIDE

from rawtoolbox.datasets import ResplitZRRDataset
from rawtoolbox.datasets.resplit import NUM_TRAIN as PUBLISHED
from rawtoolbox.datasets.zrr import OFFICIAL_COUNTS


def resplit(root, split, **arguments):
    return ResplitZRRDataset(root, split, patch_size=SIDE, **arguments)


def test_every_pair_is_in_one_part(demo_data):
    names = {
        split: [item['data_samples']['meta']['name'] for item in resplit(demo_data, split)]
        for split in ('train', 'test')
    }
    assert len(names['train']) == round((NUM_TRAIN + NUM_TEST) * 43200 / 48043)
    everything = sorted(names['train'] + names['test'])
    official = {'train': NUM_TRAIN, 'test': NUM_TEST}
    assert everything == sorted(f'{split}-{i}' for split, count in official.items() for i in range(count))


def test_the_papers_numbers():
    assert sum(OFFICIAL_COUNTS.values()) - PUBLISHED == 4843


def test_the_seed_decides(demo_data):
    first, again, other = (resplit(demo_data, 'train', num_train=6, seed=seed).pairs for seed in (0, 0, 1))
    assert first == again != other


def test_arguments_reach_both_parts(demo_data):
    assert len(resplit(demo_data, 'train', names=2, num_train=1)) == 1
    assert resplit(demo_data, 'test').metainfo == {
        'dataset': 'ResplitZRRDataset',
        'split': 'test',
        'bit_depth': 10,
    }


def test_wrong_arguments(demo_data):
    with pytest.raises(ValueError, match=r'num_train: expected 1 to 10, found 11'):
        resplit(demo_data, 'train', num_train=11)
    with pytest.raises(ValueError, match=r"split: expected 'train' or 'test', found 'val'"):
        resplit(demo_data, 'val')
