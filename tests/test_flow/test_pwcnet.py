"""PWC-Net against the official implementation, every level of it."""

import hashlib
import json

import pytest
import torch
from golden_tools import assert_close, assert_close32, expected32, expected64, fill, inputs, load, middles
from safetensors.torch import save_file
from torch.utils.data import default_collate

from rawtoolbox.datasets import FlowPairDataset
from rawtoolbox.deployment.complexity import count_macs
from rawtoolbox.flow.pwcnet import SIMULATED, PWCNet
from rawtoolbox.weights.official import pwcnet_key

GOLDEN, WRAPPER = load('pwcnet'), load('flow_wrapper')
LEVELS = ('tenFlow6', 'tenFlow5', 'tenFlow4', 'tenFlow3', 'tenFlow2', 'flow')


@pytest.fixture(scope='module')
def official():
    network = fill(PWCNet(None), GOLDEN, pwcnet_key).requires_grad_(False)
    return network.double()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_every_level_equals_the_official_one(official, case):
    flows = official.pyramid_flows(**inputs(GOLDEN, case))
    for name, flow in zip(LEVELS, flows, strict=True):
        assert_close(flow, expected64(GOLDEN, case)[name])


def test_features_equal_the_official_ones(official):
    pyramid = official.extractor(inputs(GOLDEN, 'c0')['first'])
    assert_close32(pyramid[2], middles(GOLDEN)['extractor_first_level3'])
    assert_close32(pyramid[5], middles(GOLDEN)['extractor_first_level6'])


@pytest.mark.parametrize('case', ['c0', 'c1'], ids=['multiple of 64', 'any size'])
def test_flow_in_pixels_equals_the_official_one(official, case):
    assert_close(official(**inputs(WRAPPER, case)), expected64(WRAPPER, case)['flow'])


def test_single_precision(official):
    network = PWCNet(None)
    network.load_state_dict(official.state_dict())
    with torch.no_grad():
        flow = network(**inputs(WRAPPER, 'c1', torch.float32))
    assert_close32(flow, expected32(WRAPPER, 'c1')['flow'])


def test_channel_order_is_that_of_the_network_not_of_the_images(official):
    network = PWCNet(None, channel_order='BGR')
    network.load_state_dict(official.state_dict())
    first, second = inputs(GOLDEN, 'c0').values()
    with torch.no_grad():
        torch.testing.assert_close(network.double()(first, second), official(first.flip(1), second.flip(1)))


def test_official_number_of_parameters(official):
    assert sum(parameter.numel() for parameter in official.parameters()) == 9_374_274


@pytest.mark.parametrize('prefix', ['net', 'module'])
def test_takes_official_files(tmp_path, monkeypatch, official, prefix):
    state = {key['name'].replace('net', prefix): torch.zeros(key['shape']) for key in GOLDEN.keys}
    torch.save(state, tmp_path / 'network-default.pytorch')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    assert all(not p.any() for p in PWCNet().parameters())


def test_takes_its_own_files(tmp_path, official):
    state = {name: tensor.float() for name, tensor in official.state_dict().items()}
    save_file(state, tmp_path / 'mine.safetensors')
    network = PWCNet(tmp_path / 'mine.safetensors')
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_own_weights_find_what_moved_in_unseen_photographs():
    network, pairs = PWCNet('simulated').eval(), FlowPairDataset('test', length=8, size=192)
    batch = default_collate([pairs[index] for index in range(len(pairs))])
    first, second = (batch['inputs'][side].float() / 255 for side in ('first', 'second'))
    truth, valid = batch['data_samples']['flow'], batch['data_samples']['valid'][:, 0].bool()
    with torch.no_grad():
        error = (network(first, second) - truth).norm(dim=1)[valid].mean()
    assert error < 0.3 * truth.norm(dim=1)[valid].mean()


def test_own_weights_are_those_whose_origin_is_told():
    record = json.loads(SIMULATED.with_suffix('.json').read_text())
    assert record['sha256'] == hashlib.sha256(SIMULATED.read_bytes()).hexdigest()
    assert record.keys() >= {'config', 'seed', 'iterations', 'note'}


def test_says_where_to_get_missing_weights(monkeypatch, tmp_path):
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r'pwc-net\.pth .* sniklaus/pytorch-pwc.*\$RAWTOOLBOX_WEIGHTS'
    ):
        PWCNet()


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"channel_order is 'RGB' or 'BGR', found 'GRB'"):
        PWCNet(None, channel_order='GRB')
    with torch.device('meta'):
        network = PWCNet(None)
    with pytest.raises(ValueError, match=r'second: expected the shape \(1 3 8 8\), found \(1 3 8 9\)'):
        network(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))


def test_cost_can_be_counted_without_running_it():
    """36.8 GMACs at 448x448 are known of the official network; the cost volume's products are counted besides."""
    images = torch.empty(2, 1, 3, 448, 448, device='meta')
    assert count_macs(PWCNet(weights=None), *images) / 1e9 == pytest.approx(36.8, rel=0.03)


def test_fresh_decoders_hand_the_coarser_flow_on():
    torch.manual_seed(0)
    decoder = PWCNet(weights=None).decoders[2]  # of level 4
    coarser = torch.tensor([0.1, -0.2]).view(1, 2, 1, 1).expand(1, 2, 4, 4), torch.rand(1, 661, 4, 4)
    flow, _ = decoder(*torch.rand(2, 1, 96, 8, 8), coarser)
    middle = flow[..., 2:6, 2:6]
    assert (middle - coarser[0][..., :1, :1]).abs().max() < 0.03


def test_fresh_decoders_see_differences_in_the_cost_volume_only():
    for decoder in PWCNet(weights=None).decoders:
        compare = decoder.layers[0][0].weight[:, :81]
        assert compare.sum(1).abs().max() < 1e-4 * compare.abs().sum(1).max()
