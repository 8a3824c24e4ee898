"""SRResNet of the SR-RAW experiments against the official implementation."""

import pytest
import torch
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.backbones.srresnet import SRResNet
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import srresnet_key


@pytest.fixture(scope='module', params=[1, 2, 4])
def scale(request):
    return request.param


@pytest.fixture(scope='module')
def golden(scale):
    return load(f'srresnet_x{scale}')


@pytest.fixture(scope='module')
def network(scale, golden):
    return fill(SRResNet(scale), golden, srresnet_key).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_equals_the_official_network(network, golden, case):
    # The images of a batch are independent; the second of c1 alone halves the slow 9x9 float64 convolution.
    with torch.no_grad():
        image = network(inputs(golden, case)['raw'][-1:])
    assert_close(image, expected64(golden, case)['rgb'][-1:])


def test_has_the_official_parameters(network, golden):
    assert count_parameters(network) == golden.meta['params']


def test_wants_the_clockwise_planes_of_sr_raw(network, scale):
    assert network.raw_input.order == ('R', 'Gr', 'B', 'Gb')
    assert network.raw_input.scale == 2 * scale


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match='scale: expected 1, 2 or 4 .*, found 3'):
        SRResNet(scale=3)


def test_levels_are_the_official_smaller_networks(network, golden, scale):
    """The official network of scale 2 is that of scale 4 without its last enlargement, and so on."""
    level = scale.bit_length() - 1
    if level:
        wide = SRResNet(scale, width=4, blocks=1).eval()
        narrow = SRResNet(1, width=4, blocks=1).eval()
        narrow.load_state_dict(wide.state_dict(), strict=False)
        wide.level = level
        raw = torch.rand(1, 4, 6, 6)
        with torch.no_grad():
            assert torch.equal(wide(raw), narrow(raw))
        assert wide.raw_input == narrow.raw_input
    with pytest.raises(ValueError, match=f'level: expected 0 to {level}, found 3'):
        network.level = 3
