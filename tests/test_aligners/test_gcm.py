"""GCM against the official implementation, and what makes it global."""

import pytest
import torch
from golden_tools import assert_close, assert_close32, expected32, expected64, fill, inputs, load, middles

from rawtoolbox.aligners.gcm import GCM
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official import gcm_key

GOLDEN = {'gcm': load('gcm'), 'gcm_nocoord': load('gcm_nocoord')}


@pytest.fixture(params=GOLDEN)
def official(request):
    network = GCM(coord=request.param == 'gcm')
    return fill(network, GOLDEN[request.param], gcm_key).eval(), GOLDEN[request.param]


def encoded(golden, case, dtype=torch.float64):
    """The official inputs, of which the network itself encodes the raw."""
    source, *rest = inputs(golden, case, dtype).values()
    return source ** (1 / 2.2), *rest


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_equals_the_official_network(official, case):
    network, golden = official
    with torch.no_grad():
        mapped = network.double()(*encoded(golden, case))
    assert_close(mapped, expected64(golden, case)['rgb'])


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_equals_the_official_network_in_single_precision(official, case):
    network, golden = official
    with torch.no_grad():
        mapped = network(*encoded(golden, case, torch.float32))
    assert_close32(mapped, expected32(golden, case)['rgb'])


def test_guide_equals_the_official_one(official):
    network, golden = official
    with torch.no_grad():
        guide = network.guide_net(torch.cat(encoded(golden, 'c0', torch.float32), 1))
    assert_close32(guide, middles(golden)['guide_net'])


@pytest.mark.parametrize(('arguments', 'number'), [({}, 46_243), ({'coord': False}, 42_979)])
def test_official_number_of_parameters(arguments, number):
    assert count_parameters(GCM(**arguments)) == number


def test_guide_of_table_a_has_222_pixels():
    network = GCM(guide_relu=False, guide_padding=1)
    assert network.guide_net[0](torch.zeros(1, 8, 448, 448)).shape[-2:] == (222, 222)
    assert not isinstance(network.guide_net[1], torch.nn.ReLU)


def test_no_pixel_moves():
    """Shuffling the pixels of the source shuffles those of the result; without a guide nothing else happens."""
    network = GCM(8, guide=False, coord=False)
    source, order = torch.rand(1, 3, 6, 6), torch.randperm(36)
    shuffled = network(source.flatten(2)[..., order].view_as(source))
    torch.testing.assert_close(shuffled, network(source).flatten(2)[..., order].view_as(source))


def test_target_and_coordinates_matter_only_where_they_are_used():
    source, dark, bright = torch.rand(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    coord = torch.rand(1, 2, 16, 16)
    assert not torch.equal(GCM(8)(source, dark, coord), GCM(8)(source, bright, coord))
    network = GCM(8, coord=False)
    assert not torch.equal(network(source, dark), network(source, bright))
    assert torch.equal(network(source, dark, coord), network(source, dark))
    network = GCM(8, guide=False)
    assert torch.equal(network(source, dark, coord), network(source, bright, coord))
    assert not torch.equal(network(source, None, coord), network(source, None, -coord))


def test_learns_a_global_mapping():
    torch.manual_seed(0)
    network = GCM(16)
    source, coord = torch.rand(4, 3, 16, 16), torch.rand(4, 2, 16, 16)
    target = 1 - source**2 * torch.tensor([0.5, 0.8, 1.0]).view(3, 1, 1)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        losses.append((network(source, target, coord) - target).abs().mean())
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.1 * losses[0]


def test_says_what_is_wrong():
    source = torch.zeros(1, 3, 16, 16)
    with pytest.raises(ValueError, match='coord is missing'):
        GCM(8)(source, source)
    with pytest.raises(ValueError, match='target is missing'):
        GCM(8, coord=False)(source)
    with pytest.raises(ValueError, match=r'target: expected the shape \(1 3 16 16\), found \(1 3 32 32\)'):
        GCM(8, coord=False)(source, torch.zeros(1, 3, 32, 32))
    with pytest.raises(FileNotFoundError, match=r'GCMModel_model_80\.pth from the release'):
        GCM(weights='nowhere.pth')
