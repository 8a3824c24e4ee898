"""MSRResNet, which stands for SRGAN, against the official implementation."""

import pytest
import torch
import torch.nn.functional as F
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.backbones.msrresnet import MSRResNet
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import msrresnet_key

GOLDEN = load('srgan_msrresnet')


@pytest.fixture(scope='module')
def network():
    return fill(MSRResNet(), GOLDEN, msrresnet_key).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_equals_the_official_network(network, case):
    with torch.no_grad():
        image = network(inputs(GOLDEN, case)['lr'])
    assert_close(image, expected64(GOLDEN, case)['sr'])


def test_has_the_official_parameters(network):
    assert count_parameters(network) == 1_517_571


@pytest.mark.parametrize('scale', [2, 3, 4])
def test_starts_near_bilinear_enlargement(scale):
    torch.manual_seed(0)
    network = MSRResNet(scale, width=16, blocks=2)
    image = torch.rand(1, 3, 6, 8)
    enlarged = F.interpolate(image, scale_factor=scale, mode='bilinear')
    assert torch.allclose(network(image), enlarged, atol=0.02)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match='scale: expected 2, 3 or 4, found 1'):
        MSRResNet(scale=1)
