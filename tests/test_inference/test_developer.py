"""Developing any camera's raw by the network of the package."""

import numpy as np
import pytest
import torch

from rawtoolbox.inference.developer import Developer, develop_tiles, render_linear, signed_mosaic
from rawtoolbox.models.developer_weights import load_developer
from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.ops.colour import linear_to_srgb
from rawtoolbox.ops.demosaic import demosaic_bilinear
from rawtoolbox.ops.noise import estimate_noise
from rawtoolbox.raw.frame import make_frame

GAINS = (2.0, 1.0, 1.6)


@pytest.fixture(scope='module')
def network():
    return load_developer()


def scene(size=160):
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing='ij')
    waves = [0.4 + 0.3 * torch.sin(x / a) * torch.cos(y / b) for a, b in ((7, 9), (6, 8), (8, 5))]
    return torch.stack(waves)[None] / torch.tensor(GAINS)[:, None, None]


def noisy(image, shot, seed=0):
    mosaic = bayer_mosaic(image)
    generator = torch.Generator().manual_seed(seed)
    return mosaic + torch.randn(mosaic.shape, generator=generator) * (shot * mosaic).sqrt()


@pytest.mark.parametrize('exposure', [-3, 0, 1])
def test_tiles_change_nothing(network, exposure):
    mosaic = (noisy(scene(), 1e-3) * 2.0**exposure).clamp(max=1)
    noise, gains = torch.tensor([[1e-3, 0.0]]), torch.tensor([GAINS])
    with torch.no_grad():
        whole, tiled = (develop_tiles(network, mosaic, gains, noise, tile) for tile in (0, 64))
    balanced = [linear_to_srgb((image * gains[0, :, None, None]).clamp(0, 1)) for image in (whole, tiled)]
    assert (balanced[0] - balanced[1]).abs().max() < 1 / 255


@pytest.mark.parametrize(('shot', 'share'), [(1e-3, 0.8), (1e-2, 0.4)])
def test_less_noise_than_bilinear(network, shot, share):
    truth, noise = scene(), torch.tensor([[shot, 0.0]])
    mosaic = noisy(truth, shot)
    with torch.no_grad():
        image = develop_tiles(network, mosaic, torch.tensor([GAINS]), noise)
    error, bilinear = ((x - truth).square().mean() for x in (image[None], demosaic_bilinear(mosaic)))
    assert error < share * bilinear


def test_saturated_areas_come_out_white():
    values = bayer_mosaic((scene(96) * 600).clamp(max=1)) * 0 + 1023
    frame = make_frame(values[0, 0].numpy().astype(np.uint16), 'RGGB', 0, 1023, as_shot_gains=GAINS)
    image = Developer(dtype='float32')(frame).image
    assert image.min() > 0.97


def test_strength_keeps_noise():
    mosaic = noisy(scene(), 1e-2)
    values = (64 + 959 * mosaic[0, 0]).round().clamp(0, 1023).numpy().astype(np.uint16)
    frame = make_frame(values, 'RGGB', 64, 1023, as_shot_gains=GAINS)
    images = {s: Developer(strength=s, dtype='float32').camera_linear(frame) for s in (0.0, 0.5, 1.0)}
    far = [(bayer_mosaic(images[s][None]) - signed_mosaic(frame)).square().mean() for s in images]
    assert far[0] < 1e-8 < far[1] < far[2]


def test_wrong_strength_is_refused():
    with pytest.raises(ValueError, match='strength: expected 0 to 1, found 2'):
        Developer(strength=2)


def test_rendering_keeps_a_grey():
    frame = make_frame(np.zeros((8, 8), np.uint16), 'RGGB', 0, 1023, as_shot_gains=GAINS)
    grey = 0.2 / torch.tensor(GAINS)[:, None, None].expand(3, 8, 8)
    assert np.ptp(render_linear(grey, frame).numpy()) < 1e-5


@pytest.mark.parametrize('iso', [100, 1600, 12800])
def test_noise_is_estimated_within_15_percent(iso):
    shot = 1.6e-6 * iso
    ramp = torch.linspace(0.02, 0.7, 512).expand(1, 3, 512, 512)
    mosaic = noisy(ramp.contiguous(), shot)
    slope, read = estimate_noise(mosaic)[0].tolist()
    for level in (0.1, 0.3, 0.6):
        assert ((slope * level + read) / (shot * level)) ** 0.5 == pytest.approx(1, abs=0.15)


def test_the_default_model_is_this_one(network):
    from rawtoolbox.apis import get_model

    weights = get_model('default').state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
