"""MW-ISPNet against the official implementation."""

import pytest
import torch
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.backbones.mwispnet import MWISPNet
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import mwispnet_key

GOLDEN = load('mw_ispnet')


@pytest.fixture(scope='module')
def network():
    return fill(MWISPNet(), GOLDEN, mwispnet_key).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_equals_the_official_network(network, case):
    with torch.no_grad():
        image = network(**inputs(GOLDEN, case))
    assert_close(image, expected64(GOLDEN, case)['rgb'])


def test_has_the_official_parameters_but_for_the_wavelet_taps(network):
    assert count_parameters(network) == 29_219_345 - 96


def test_wants_what_it_was_trained_on():
    form = MWISPNet.raw_input
    assert form.subtract_black and form.layout == 'packed' and form.order == ('B', 'Gr', 'R', 'Gb')
