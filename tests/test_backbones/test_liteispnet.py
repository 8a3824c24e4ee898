"""LiteISPNet against the official implementation, and its forms."""

import functools

import pytest
import torch
from golden_tools import assert_close, assert_close32, expected32, expected64, fill, inputs, load, middles

from rawtoolbox.backbones.liteispnet import LiteISPNet
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.ops.dwt import haar_dwt
from rawtoolbox.weights.official import liteispnet_key

TAPS = 8192  # constants of the official wavelet layers, which it counts as parameters
GOLDEN = {'release': load('liteispnet'), 'predictor': load('liteispnet_precoord')}


@functools.cache
def official(form):
    return fill(LiteISPNet(coord_predictor=form == 'predictor'), GOLDEN[form], liteispnet_key).eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
@pytest.mark.parametrize('form', GOLDEN)
def test_equals_the_official_network(form, case):
    with torch.no_grad():
        rgb = official(form).double()(**inputs(GOLDEN[form], case))
    assert_close(rgb, expected64(GOLDEN[form], case)['rgb'])


@pytest.mark.parametrize('case', ['c0', 'c1'])
@pytest.mark.parametrize('form', GOLDEN)
def test_equals_the_official_network_in_single_precision(form, case):
    with torch.no_grad():
        rgb = official(form).float()(**inputs(GOLDEN[form], case, torch.float32))
    assert_close32(rgb, expected32(GOLDEN[form], case)['rgb'])


def test_stages_equal_the_official_ones():
    network, seen = official('release').float(), {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda module, arguments, output, name=name: seen.__setitem__(name, output)
        )
        for name in ('down3', 'middle', 'up2')
    ]
    with torch.no_grad():
        network(**inputs(GOLDEN['release'], 'c0', torch.float32))
    for hook in hooks:
        hook.remove()
    seen['down3'] = haar_dwt(seen['down3'])  # the official stage ends with it
    for name, expected in middles(GOLDEN['release']).items():
        assert_close32(seen[name], expected)


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_predictor_equals_the_official_one(case):
    network = official('predictor').double()
    given, expected = inputs(GOLDEN['predictor'], case), expected64(GOLDEN['predictor'], case)
    with torch.no_grad():
        predicted = network.coord_predictor(given['raw'])
        joined = network.join_coord(given['raw'][:, :1], **given)
    assert_close(predicted, expected['pre_coord'])
    assert_close(joined[:, 1:], expected['coord_used'])


def test_predictor_on_a_whole_patch():
    golden = GOLDEN['predictor']
    element = torch.arange(4 * 224 * 224, dtype=torch.float64)
    seed = golden.meta['pre224']['seed']
    raw = (0.5 + 0.5 * torch.sin(0.013 * element + seed)).float().double().view(1, 4, 224, 224)
    with torch.no_grad():
        assert_close(
            official('predictor').double().coord_predictor(raw), expected64(golden, 'pre224')['pre_coord']
        )


@pytest.mark.parametrize(
    ('arguments', 'official'),
    [
        ({}, 9_047_815),
        ({'coord_predictor': True, 'gamma': None}, 11_930_633),
        ({'coord': False, 'gamma': None}, 8_949_315),
    ],
)
def test_official_parameters_less_the_constant_taps(arguments, official):
    with torch.device('meta'):
        assert count_parameters(LiteISPNet(**arguments)) == official - TAPS


def test_gamma_is_applied_to_the_raw():
    torch.manual_seed(0)
    encoded = LiteISPNet(8, 1, gamma=2.2, coord=False)
    linear = LiteISPNet(8, 1, gamma=None, coord=False)
    linear.load_state_dict(encoded.state_dict())
    raw = torch.rand(1, 4, 16, 16)
    torch.testing.assert_close(encoded(raw), linear(raw ** (1 / 2.2)))
    torch.testing.assert_close(encoded(raw - 1), linear(torch.zeros_like(raw)))


def test_coordinates_matter_only_where_they_are_used():
    raw, left, right = torch.rand(1, 4, 16, 16), -torch.ones(1, 2, 16, 16), torch.ones(1, 2, 16, 16)
    with_coord, without = LiteISPNet(8, 1), LiteISPNet(8, 1, coord=False)
    assert not torch.equal(with_coord(raw, left), with_coord(raw, right))
    assert torch.equal(without(raw, left), without(raw))


def test_says_what_is_wrong():
    network = LiteISPNet(8, 1)
    with pytest.raises(ValueError, match=r'coordinates are missing: pass coord \(N, 2, h, w\)'):
        network(torch.zeros(1, 4, 16, 16))
    with pytest.raises(ValueError, match=r'coord: expected the shape \(1 2 16 16\), found \(1 2 8 8\)'):
        network(torch.zeros(1, 4, 16, 16), torch.zeros(1, 2, 8, 8))
    with pytest.raises(ValueError, match='needs coord=True'):
        LiteISPNet(coord=False, coord_predictor=True)


def test_exports_to_the_same_numbers():
    network = LiteISPNet(8, 1).eval()
    arguments = torch.rand(1, 4, 16, 24), torch.rand(1, 2, 16, 24)
    with torch.no_grad():
        exported = torch.export.export(network, arguments).module()
        torch.testing.assert_close(exported(*arguments), network(*arguments))
