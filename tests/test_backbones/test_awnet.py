"""Both networks of AWNet against the official implementation, with all heads and the coarsest features."""

from typing import NamedTuple

import pytest
import torch
from golden_tools import Golden, assert_close, expected64, fill, inputs, load
from torch import nn

from rawtoolbox.backbones.awnet import AWNetDemosaicked, AWNetRaw
from rawtoolbox.backbones.awnet_blocks import inverse_wavelet, wavelet
from rawtoolbox.deployment.complexity import count_parameters
from rawtoolbox.weights.official_names import awnet_demosaicked_key, awnet_raw_key


class Filled(NamedTuple):
    network: nn.Module
    golden: Golden


@pytest.fixture(
    scope='module',
    params=[
        (AWNetRaw, 'awnet_raw', awnet_raw_key),
        (AWNetDemosaicked, 'awnet_demosaicked', awnet_demosaicked_key),
    ],
    ids=['raw', 'demosaicked'],
)
def filled(request):
    cls, name, rename = request.param
    golden = load(name)
    return Filled(fill(cls(), golden, rename).double().eval(), golden)


@pytest.mark.parametrize('case', ['c0', 'c1'])
def test_every_output_equals_the_official_network(filled, case):
    (source,) = inputs(filled.golden, case).values()
    expected = expected64(filled.golden, case)
    with torch.no_grad():
        images = filled.network.forward_heads(source)
        latent, *_ = filled.network.encode(source)

    assert_close(latent, expected.pop('latent'))
    for image, target in zip(images, expected.values(), strict=True):
        assert_close(image, target)
    assert torch.equal(filled.network(source), images[0])


def test_has_the_official_parameters(filled):
    assert count_parameters(filled.network) == filled.golden.meta['params']


def test_what_is_never_called_is_what_the_official_network_never_calls(filled):
    dead = [p for name, p in filled.network.named_parameters() if 'conv_down' in name]
    assert sum(p.numel() for p in dead) == 3_134_400


def test_wavelet_bands_have_the_order_and_signs_of_awnet():
    x = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]])
    mean, right_left, bottom_top, diagonal = wavelet(x).flatten().tolist()
    assert mean == (1 + 2 + 4 + 8) / 2
    assert right_left == (-1 + 2 - 4 + 8) / 2
    assert bottom_top == (-1 - 2 + 4 + 8) / 2
    assert diagonal == (1 - 2 - 4 + 8) / 2


def test_wavelet_is_inverted():
    x = torch.rand(2, 3, 8, 6, dtype=torch.float64)
    assert torch.allclose(inverse_wavelet(wavelet(x)), x)
