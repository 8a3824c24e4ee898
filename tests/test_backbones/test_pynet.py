"""PyNET against the official implementation, at all six levels."""

import pytest
import torch
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.backbones.pynet import PyNET
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import pynet_key

GOLDEN = load('pynet')


@pytest.fixture(scope='module')
def network():
    return fill(PyNET(), GOLDEN, pynet_key).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_every_level_equals_the_official_network(network, case):
    with torch.no_grad():
        images = network.forward_heads(inputs(GOLDEN, case)['raw'])
    assert len(images) == 6
    for level, image in enumerate(images):
        assert_close(image, expected64(GOLDEN, case)[f'level{level}'])


def test_has_the_official_parameters(network):
    assert count_parameters(network) == 47_554_738
    with torch.device('meta'):
        assert count_parameters(PyNET(norm_level1=False)) == 47_551_666


@pytest.mark.parametrize('level', range(6))
def test_a_level_gives_that_image_and_trains_what_leads_to_it(level):
    torch.manual_seed(0)
    whole = PyNET(width=4).eval()
    part = PyNET(level=level, width=4).eval()
    part.load_state_dict(whole.state_dict())
    raw = torch.rand(1, 4, 32, 48)

    image = part(raw)
    image.mean().backward()

    assert torch.equal(image, whole.forward_heads(raw)[level])
    assert image.shape[-2:] == (int(32 * part.raw_input.scale), int(48 * part.raw_input.scale))
    trained = {name.partition('.')[0] for name, p in part.named_parameters() if p.grad is not None}
    assert trained == {'encoder', 'to_rgb', *(f'level{i}' for i in range(level, 6))}


@pytest.mark.parametrize('level', [-1, 6])
def test_unknown_levels_are_refused(level):
    with pytest.raises(ValueError, match=f'level: expected 0 .* to 5, found {level}'):
        PyNET(level=level)


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match='at least 32, found 16x64'):
        PyNET(width=2)(torch.rand(1, 4, 16, 64))
