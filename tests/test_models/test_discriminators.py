"""The discriminators against the official implementations."""

import numpy as np
import pytest
import torch
from golden_tools import assert_close, expected64, fill, inputs, load

from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.models.discriminators import PatchDiscriminator, VGGDiscriminator
from rawtoolbox.weights.official_names import vgg_discriminator_key

PATCHGAN = load('patchgan')


@pytest.fixture(scope='module')
def patchgan():
    return fill(PatchDiscriminator(), PATCHGAN).double().eval()


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_patchgan_equals_the_official_network(patchgan, case):
    with torch.no_grad():
        logits = patchgan(inputs(PATCHGAN, case)['img'])
    assert_close(logits, expected64(PATCHGAN, case)['logits'])


def test_patchgan_has_the_official_parameters(patchgan):
    assert count_parameters(patchgan) == 2_765_633


def test_a_logit_of_patchgan_sees_70_pixels():
    network = PatchDiscriminator(width=4).eval()
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    network(image)[0, 0, 7, 7].backward()
    rows, columns = image.grad.abs().sum((0, 1)).nonzero().T
    assert rows.max() - rows.min() + 1 == 70
    assert columns.max() - columns.min() + 1 == 70


def test_patchgan_refuses_other_channels():
    with pytest.raises(ValueError, match=r'image: expected the shape \(N 3 H W\)'):
        PatchDiscriminator(width=4)(torch.rand(1, 4, 64, 64))


@pytest.fixture(scope='module', params=[128, 256])
def size(request):
    return request.param


@pytest.fixture(scope='module')
def golden(size):
    return load(f'vgg_disc_{size}')


@pytest.fixture(scope='module')
def vgg(size, golden):
    return fill(VGGDiscriminator(size), golden, vgg_discriminator_key).double().eval()


def rule_input(shape, seed):
    """The input rule of the golden files, for those that do not store their inputs."""
    wave = np.sin(0.013 * np.arange(int(np.prod(shape))) + seed)
    return torch.from_numpy((0.5 + 0.5 * wave).astype(np.float32).reshape(shape)).double()


@pytest.mark.parametrize('case', [0, 1])
def test_vgg_equals_the_official_network(vgg, golden, case):
    rule = golden.meta['cases'][case]['inputs'][0]
    with torch.no_grad():
        logits = vgg(rule_input(rule['shape'], rule['seed']))
    assert_close(logits, expected64(golden, f'c{case}')['logits'])


def test_vgg_has_the_official_parameters(vgg, size):
    assert count_parameters(vgg) == {128: 14_499_401, 256: 21_055_049}[size]


def test_vgg_refuses_another_size():
    network = VGGDiscriminator(width=4)
    with pytest.raises(ValueError, match=r'image: expected the shape \(N 3 128 128\), found \(1 3 64 64\)'):
        network(torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match='size: expected 128 or 256 pixels, found 96'):
        VGGDiscriminator(size=96)
