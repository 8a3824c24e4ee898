import pytest
import torch

from rawtoolbox.datasets import FlowPairDataset
from rawtoolbox.datasets.flow_pairs import PHOTOGRAPHS


def test_an_item():
    item = FlowPairDataset(length=3, size=32)[2]
    first, second = item['inputs']['first'], item['inputs']['second']
    assert first.shape == second.shape == (3, 32, 32)
    assert first.dtype == second.dtype == torch.uint8
    flow, valid = item['data_samples']['flow'], item['data_samples']['valid']
    assert (flow.shape, valid.shape) == ((2, 32, 32), (1, 32, 32))
    assert item['data_samples']['name'] == '2'


def test_valid_is_where_the_flow_ends_inside():
    item = FlowPairDataset(length=1, size=32, max_displacement=20, seed=5)[0]['data_samples']
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing='ij')
    x, y = x + item['flow'][0], y + item['flow'][1]
    inside = (x >= 0) & (x <= 31) & (y >= 0) & (y <= 31)
    assert torch.equal(item['valid'][0].bool(), inside)


def test_pairs_depend_on_seed_split_and_index_alone():
    def flow(split='train', index=0, **arguments):
        return FlowPairDataset(split, size=16, **arguments)[index]['data_samples']['flow']

    assert torch.equal(flow(length=1), flow(length=5))
    for other in (flow('test'), flow(index=1), flow(seed=1)):
        assert not torch.equal(flow(), other)


def test_splits_share_no_photograph():
    assert not set(PHOTOGRAPHS['train']) & set(PHOTOGRAPHS['test'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'split': 'val'}, "split: expected 'train' or 'test', found 'val'"),
        ({'size': 15}, 'size: expected an even number of at least 16, found 15'),
        ({'length': 0}, 'length: expected at least 1, found 0'),
    ],
)
def test_refuses_what_makes_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        FlowPairDataset(**arguments)
