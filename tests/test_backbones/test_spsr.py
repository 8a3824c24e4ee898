"""SPSR's generator against the official implementation."""

import pytest
import torch
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.backbones.spsr import SPSR, gradient_magnitude
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import spsr_key

GOLDEN = load('spsr')


@pytest.fixture(scope='module')
def network():
    return fill(SPSR(), GOLDEN, spsr_key).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_every_output_equals_the_official_network(network, case):
    source, expected = inputs(GOLDEN, case)['lr'], expected64(GOLDEN, case)
    with torch.no_grad():
        image, gradient = network.forward_heads(source)
    assert_close(image, expected['sr'])
    assert_close(gradient, expected['branch'])
    assert_close(gradient_magnitude(source), expected['grad'])


def test_has_the_official_parameters_but_for_the_gradient_kernels(network):
    assert count_parameters(network) == 24_796_248 - 18


def test_gradient_of_a_ramp_is_twice_its_slope():
    ramp = torch.arange(6.0).expand(1, 1, 5, 6)
    assert torch.allclose(gradient_magnitude(ramp)[0, 0, 1:-1, 1:-1], torch.tensor(2.0))


def test_gradient_of_a_flat_image_can_be_differentiated():
    flat = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    gradient_magnitude(flat).sum().backward()
    assert flat.grad.isfinite().all()


def test_too_few_blocks_are_refused():
    with pytest.raises(ValueError, match='blocks: expected at least 20.*, found 8'):
        SPSR(blocks=8)
