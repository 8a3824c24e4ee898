import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from tiny_vgg import tiny_vgg

from rawtoolbox.losses import LOSWLoss, local_sliced_wasserstein
from rawtoolbox.losses.sliced_wasserstein import random_directions
from rawtoolbox.registry import LOSSES


def features(seed=0, shape=(2, 4, 9, 11)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_against_scipy():
    pred, target = features(0), features(1)
    directions = random_directions(3, 4, like=pred)
    window, stride = 4, 2
    expected = []
    for first, second in zip(pred, target, strict=True):
        for y in range(0, 9 - window + 1, stride):
            for x in range(0, 11 - window + 1, stride):
                for direction in directions:
                    heaps = [
                        torch.tensordot(direction, image[:, y : y + window, x : x + window], dims=1).flatten()
                        for image in (first, second)
                    ]
                    expected.append(wasserstein_distance(*(heap.numpy() for heap in heaps)))
    found = local_sliced_wasserstein(pred, target, window, stride, directions)
    assert found.item() == pytest.approx(np.mean(expected))


def test_order_within_a_window_does_not_matter():
    pred, target = features(0, (1, 4, 6, 6)), features(1, (1, 4, 6, 6))
    shuffled = pred.flatten(2)[..., torch.randperm(36)].view_as(pred)
    directions = random_directions(2, 4, like=pred)
    whole = [local_sliced_wasserstein(image, target, 6, directions=directions) for image in (pred, shuffled)]
    torch.testing.assert_close(*whole)
    assert local_sliced_wasserstein(pred, shuffled, 6) == pytest.approx(0, abs=1e-12)
    assert local_sliced_wasserstein(pred, shuffled, 3) > 0


def test_chunks_change_nothing():
    pred, target = features(0).requires_grad_(), features(1)
    directions = random_directions(5, 4, like=pred)
    losses = [
        local_sliced_wasserstein(pred, target, 3, directions=directions, chunk=chunk) for chunk in (2, 99)
    ]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, pred)[0] for loss in losses))


def test_properties():
    pred, target = features(0), features(1)
    assert local_sliced_wasserstein(pred, pred, 3) == 0
    torch.manual_seed(0)
    one = local_sliced_wasserstein(pred, target, 3)
    torch.manual_seed(0)
    torch.testing.assert_close(local_sliced_wasserstein(target, pred, 3), one)
    torch.testing.assert_close(random_directions(7, 4, like=pred).norm(dim=1), torch.ones(7).double())
    constant = torch.zeros(1, 4, 6, 6, requires_grad=True)
    local_sliced_wasserstein(constant, features(1, (1, 4, 6, 6)).float(), 3).backward()
    assert torch.isfinite(constant.grad).all()


def test_class():
    pred, target = (features(seed, (1, 3, 96, 96)).float().sigmoid() for seed in (0, 1))
    loss = LOSSES.build({'type': 'LOSWLoss'})
    loss.features.network = tiny_vgg()
    torch.manual_seed(0)
    found = loss(pred.requires_grad_(), target)
    found.backward()
    assert pred.grad.abs().sum() > 0
    torch.manual_seed(0)
    maps = zip(loss.features(pred), loss.features(target), [4, 2, 1], [1, 1, 2], strict=True)
    expected = 0.08 * sum(
        weight * local_sliced_wasserstein(one, other, window) for one, other, window, weight in maps
    )
    torch.testing.assert_close(found, expected)
    assert loss(target, target) == 0
    assert loss(pred, target, torch.zeros(1, 1, 96, 96)) == 0


def test_wrong_arguments():
    with pytest.raises(ValueError, match='window: expected 1 to 9 for features of 9x11, found 10'):
        local_sliced_wasserstein(features(), features(), 10)
    with pytest.raises(ValueError, match='target: expected the shape'):
        local_sliced_wasserstein(features(), features()[:1], 3)
    with pytest.raises(ValueError, match='expected one or more of vgg16, vgg19'):
        LOSWLoss(arch='resnet50')
