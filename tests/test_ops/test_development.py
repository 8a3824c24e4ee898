"""What surrounds a network that demosaics and denoises."""

import pytest
import torch

from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.ops.development import decode, demosaic_gradient_corrected, encode
from rawtoolbox.ops.directional import demosaic_directional


def test_decoding_undoes_encoding_also_below_black():
    values = torch.linspace(-0.1, 4, 101)
    assert torch.allclose(decode(encode(values)), values, atol=1e-5)


@pytest.mark.parametrize('demosaic', [demosaic_gradient_corrected, demosaic_directional])
def test_a_colour_stays_and_samples_stay(demosaic):
    colour = torch.tensor([0.2, 0.5, 0.7])[None, :, None, None].expand(1, 3, 16, 20).contiguous()
    assert torch.allclose(demosaic(bayer_mosaic(colour)), colour, atol=1e-6)


def test_directional_follows_an_edge():
    image = torch.zeros(1, 3, 32, 32)
    image[..., 16:] = 1
    errors = [
        (demosaic(bayer_mosaic(image)) - image).abs().mean()
        for demosaic in (demosaic_gradient_corrected, demosaic_directional)
    ]
    assert errors[1] < 0.5 * errors[0]
