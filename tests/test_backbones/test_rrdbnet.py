"""RRDBNet against the official implementations, under both of their namings."""

import pytest
import torch
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.backbones.rrdbnet import RRDBNet
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import rrdbnet_key


@pytest.fixture(scope='module', params=['rrdbnet', 'rrdbnet_esrgan'])
def golden(request):
    return load(request.param)


@pytest.fixture(scope='module')
def network(golden):
    return fill(RRDBNet(blocks=2), golden, rrdbnet_key).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_equals_the_official_network(network, golden, case):
    with torch.no_grad():
        image = network(inputs(golden, case)['lr'])
    assert_close(image, expected64(golden, case)['sr'])


def test_has_the_official_parameters(network):
    assert count_parameters(network) == 1_590_083
    with torch.device('meta'):
        assert count_parameters(RRDBNet()) == 16_697_987


def test_basicsr_names_are_kept():
    names = [key['name'] for key in load('rrdbnet').keys]
    assert list(RRDBNet(width=8, blocks=2, growth=4).state_dict()) == names


@pytest.mark.parametrize(('scale', 'size', 'folded'), [(1, (12, 20), (3, 5)), (2, (6, 10), (3, 5))])
def test_lower_scales_fold_their_input(scale, size, folded):
    network = RRDBNet(scale, width=8, blocks=1, growth=4)
    seen = []
    network.conv_first.register_forward_hook(lambda module, args, output: seen.append(output.shape[-2:]))
    image = network(torch.rand(1, 3, *size))
    assert image.shape[-2:] == (scale * size[0], scale * size[1])
    assert seen == [folded]


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match='scale: expected 1, 2 or 4, found 8'):
        RRDBNet(scale=8)
