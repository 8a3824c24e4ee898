import hashlib
import json

import cv2
import numpy as np
import pytest
import torch

from rawtoolbox.datasets import FlowPairDataset
from rawtoolbox.flow import DISFlow, HybridFlow
from rawtoolbox.flow.hybrid import GROUPS, SIMULATED, convex_upsample, local_contrast, lucas_kanade, sample


def texture(size=96, blur=2.0, channels=3, seed=0):
    noise = np.random.default_rng(seed).standard_normal((size, size, channels))
    image = cv2.GaussianBlur(noise, (0, 0), blur).reshape(size, size, channels)
    return torch.from_numpy(image / image.std()).float().permute(2, 0, 1)[None]


def shifted(image, x, y):
    flow = torch.tensor([x, y]).view(1, 2, 1, 1).expand(-1, -1, *image.shape[-2:])
    return sample(image, flow)


@pytest.fixture(scope='module')
def untrained():
    torch.manual_seed(0)
    return HybridFlow(None).eval()


@pytest.mark.parametrize('size', [(64, 64), (61, 83), (5, 40)])
@torch.no_grad()
def test_any_size_and_a_scale_above_zero(untrained, size):
    images = torch.rand(2, 2, 3, *size)
    flow, scale = untrained.with_scale(*images)
    assert flow.shape == (2, 2, *size)
    assert scale.shape == (2, 1, *size)
    assert scale.min() > 0
    assert torch.equal(untrained(*images), flow)


@torch.no_grad()
def test_starts_from_dis(untrained):
    """Fresh steps are next to nothing, so that training starts from DIS's error and not from scratch."""
    first = 0.5 + 0.15 * texture()
    second = shifted(first, -3.0, 2.0)
    flow, dis = untrained(first, second), DISFlow()(first, second)
    inner = (..., slice(16, -16), slice(16, -16))
    assert (dis[inner] - torch.tensor([3.0, -2.0]).view(2, 1, 1)).abs().mean() < 0.2
    assert (flow - dis)[inner].abs().mean() < 0.5


def test_lucas_kanade_finds_a_fraction_of_a_pixel():
    first = texture(64, 3.0, 8)
    step = torch.tensor([0.4, -0.3])
    second = shifted(first, *(-step).tolist())
    cues = lucas_kanade(first, second)
    assert cues.shape == (1, 6 * GROUPS, 32, 32)
    for window in cues.chunk(2, 1):
        found = window[:, : 2 * GROUPS].unflatten(1, (2, GROUPS))[..., 4:-4, 4:-4].mean((0, 2, 3, 4))
        torch.testing.assert_close(found, step, atol=0.05, rtol=0)


def test_local_contrast_minds_neither_exposure_nor_a_slow_shading():
    image = 0.5 + 0.1 * texture(64)
    shading = torch.linspace(0.5, 1, 64)
    same = local_contrast(0.3 * image + 0.1)
    torch.testing.assert_close(local_contrast(image), same, atol=0.2, rtol=0)
    shaded = local_contrast(image * shading)
    assert torch.corrcoef(torch.stack([shaded.flatten(), same.flatten()]))[0, 1] > 0.97


def test_convex_upsampling_keeps_a_constant_and_stays_between_neighbours():
    constant = torch.tensor([1.5, -2.0]).view(1, 2, 1, 1).expand(1, 2, 5, 7)
    weights = torch.randn(1, 144, 5, 7)
    upsampled = convex_upsample(constant, weights)
    torch.testing.assert_close(upsampled, constant[..., :1, :1].expand(1, 2, 20, 28))
    flow = torch.randn(1, 2, 5, 7)
    assert convex_upsample(flow, weights).abs().max() <= flow.abs().max() + 1e-5
    centre = torch.zeros(1, 9, 16, 5, 7)
    centre[:, 4] = 100
    nearest = convex_upsample(flow, centre.flatten(1, 2))
    torch.testing.assert_close(nearest, flow.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_sampling_at_whole_pixels_is_exact():
    image = torch.rand(1, 2, 6, 9)
    moved = shifted(image, 2.0, -1.0)
    torch.testing.assert_close(moved[..., 1:, :-2], image[..., :-1, 2:])


@torch.no_grad()
def test_own_weights_miss_less_than_dis_on_unseen_photographs_and_know_where():
    network, dis, pairs = HybridFlow().eval(), DISFlow(), FlowPairDataset('test', length=12, size=160)
    errors, expected = [], []
    for index in range(len(pairs)):
        pair = pairs[index]
        images = [pair['inputs'][side][None].float() / 255 for side in ('first', 'second')]
        truth, valid = pair['data_samples']['flow'], pair['data_samples']['valid'][0].bool()
        flow, scale = network.with_scale(*images)
        errors.append([(f[0] - truth).norm(dim=0)[valid].mean().item() for f in (flow, dis(*images))])
        expected.append(scale[0, 0][valid].mean().item())
    own, start = np.array(errors).T
    assert own.mean() < start.mean()
    assert np.corrcoef(np.log(own), np.log(expected))[0, 1] > 0.6


def test_own_weights_are_those_whose_origin_is_told():
    record = json.loads(SIMULATED.with_suffix('.json').read_text())
    assert record['sha256'] == hashlib.sha256(SIMULATED.read_bytes()).hexdigest()
    assert record.keys() >= {'config', 'seed', 'iterations', 'note'}
