import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_vgg import tiny_vgg

from rawtoolbox.losses import CoBiLoss, ContextualLoss, contextual
from rawtoolbox.losses.cobi import patches
from rawtoolbox.losses.contextual import affinity, spatial_distance
from rawtoolbox.registry import LOSSES


def features(seed=0, shape=(2, 5, 6, 7)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def by_numpy(pred, target, spatial_weight=0.0, distance='cosine', bandwidth=0.5):
    """The official definition, one pair of features at a time."""
    pred, target = pred.numpy(), target.numpy()
    mean = target.mean(axis=(0, 2, 3))
    losses = []
    n, _, h, w = pred.shape
    places = [(y, x) for y in range(h) for x in range(w)]

    def similarity(distances):
        weights = np.exp((1 - distances / (distances.min(1, keepdims=True) + 1e-3)) / bandwidth)
        return weights / weights.sum(1, keepdims=True)

    for image in range(n):
        distances, spatial = np.zeros((2, h * w, h * w))
        for i, (y, x) in enumerate(places):
            for j, (v, u) in enumerate(places):
                a, b = pred[image, :, y, x], target[image, :, v, u]
                if distance == 'l2':
                    distances[i, j] = ((a - b) ** 2).sum()
                else:
                    a, b = a - mean, b - mean
                    distances[i, j] = (1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)) / 2
                spatial[i, j] = 255**2 * (((y - v) / h) ** 2 + ((x - u) / w) ** 2)
        mixed = (1 - spatial_weight) * similarity(distances) + spatial_weight * similarity(spatial)
        losses.append(-math.log(mixed.max(axis=0).mean()))
    return np.mean(losses)


@pytest.mark.parametrize('spatial_weight', [0.0, 0.1])
@pytest.mark.parametrize('distance', ['cosine', 'l2'])
def test_against_numpy(distance, spatial_weight):
    pred, target = features(0), features(1)
    found = contextual(pred, target, spatial_weight, distance)
    assert found.item() == pytest.approx(by_numpy(pred, target, spatial_weight, distance), rel=1e-6)


def test_paper_form_by_hand():
    pred, target = features(0, (1, 3, 4, 5)), features(1, (1, 3, 4, 5))
    grid = torch.cartesian_prod(torch.arange(4) / 4, torch.arange(5) / 5).double()
    first, second = (image.flatten(2).mT[0] for image in (pred, target))
    distances = torch.cdist(first, second) ** 2 + 0.7 * torch.cdist(grid, grid) ** 2
    found = contextual(pred, target, 0.7, 'l2', form='paper')
    assert found.item() == pytest.approx(distances.amin(1).mean().item(), rel=1e-6)


@pytest.mark.parametrize('form', ['official', 'paper'])
def test_chunks_change_nothing(form):
    pred, target = features(0).requires_grad_(), features(1)
    losses = [contextual(pred, target, 0.1, form=form, chunk=chunk) for chunk in (5, 1000)]
    gradients = [torch.autograd.grad(loss, pred)[0] for loss in losses]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)


def test_the_whole_matrix_is_never_held():
    held = []
    pred, target = features(0, (1, 4, 20, 20)).requires_grad_(), features(1, (1, 4, 20, 20))

    def keep(tensor):
        held.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        contextual(pred, target, chunk=50).backward()
    assert max(held) <= 50 * 400


def test_gradient_is_right():
    target = features(1, (1, 3, 3, 4))
    for form in ('official', 'paper'):
        assert torch.autograd.gradcheck(
            lambda pred, form=form: contextual(pred, target, 0.1, form=form),
            features(0, (1, 3, 3, 4)).requires_grad_(),
        )


def test_identity_is_best():
    target = features(1)
    same, other = contextual(target, target), contextual(features(0), target)
    assert 0 <= same < 0.01 < other


def test_places_do_not_matter_without_a_spatial_term():
    pred, target = features(0), features(1)
    shuffled = pred.flatten(2)[..., torch.randperm(42)].view_as(pred)
    torch.testing.assert_close(contextual(shuffled, target), contextual(pred, target))
    moved = contextual(target.roll(3, -1), target, 0.5, form='paper')
    assert moved > contextual(target, target, 0.5, form='paper')


@pytest.mark.parametrize('form', ['official', 'paper'])
def test_constant_features_have_a_finite_loss_and_gradient(form):
    constant = torch.full((1, 4, 5, 5), 0.3, requires_grad=True)
    for other in (torch.full((1, 4, 5, 5), 0.3), torch.zeros(1, 4, 5, 5), features(0, (1, 4, 5, 5)).float()):
        loss = contextual(constant, other, 0.1, form=form)
        (gradient,) = torch.autograd.grad(loss, constant)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() < 1e4


def test_affinity_does_not_overflow():
    distances = torch.tensor([[[0.0, 1e6, 2e6]]])
    assert affinity(distances, 0.01).tolist() == [[[1, 0, 0]]]
    torch.testing.assert_close(affinity(features().abs(), 0.5).sum(-1), torch.ones(2, 5, 6).double())


def test_the_official_spatial_affinity_knows_the_same_place_only():
    places = torch.cartesian_prod(torch.arange(63) / 63, torch.arange(63) / 63)[:200]
    torch.testing.assert_close(affinity(255**2 * spatial_distance(places, places), 0.5), torch.eye(200))


@pytest.mark.parametrize('coordinates', ['true', 'official'])
def test_a_random_choice_above_the_limit(coordinates):
    pred, target = features(0, (1, 4, 12, 12)), features(1, (1, 4, 12, 12))
    torch.manual_seed(0)
    some = contextual(pred, target, 0.1, form='paper', coordinates=coordinates, max_positions=16)
    torch.manual_seed(0)
    again = contextual(pred, target, 0.1, form='paper', coordinates=coordinates, max_positions=16)
    other = contextual(pred, target, 0.1, form='paper', coordinates=coordinates, max_positions=16)
    assert some == again
    assert some != other
    assert contextual(target, target, 0.1, max_positions=16) < 0.01  # the same positions of both


def test_coordinates_differ_for_a_random_choice_only():
    pred, target = features(0, (1, 4, 12, 12)), features(1, (1, 4, 12, 12))

    def loss(limit, coordinates):
        torch.manual_seed(0)
        return contextual(pred, target, 1.0, form='paper', coordinates=coordinates, max_positions=limit)

    assert loss(16, 'true') != loss(16, 'official')
    assert loss(144, 'true') == loss(144, 'official')


def test_autocast_changes_nothing():
    pred, target = features(0).float(), features(1).float()
    expected = contextual(pred, target)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert contextual(pred, target) == expected


@pytest.mark.parametrize('kind', ['ContextualLoss', 'CoBiLoss'])
def test_classes(kind):
    images = [features(seed, (1, 3, 32, 32)).float().sigmoid() for seed in (0, 1)]
    one, three = (LOSSES.build({'type': kind, 'weight': weight}) for weight in (1.0, 3.0))
    one.features.network = three.features.network = tiny_vgg()
    pred = images[0].requires_grad_()
    loss = one(pred, images[1])
    loss.backward()
    assert pred.grad.abs().sum() > 0
    assert torch.isfinite(pred.grad).all()
    torch.testing.assert_close(three(*images), 3 * loss)
    assert one(images[1], images[1]) < loss
    hidden = torch.zeros(1, 1, 32, 32)
    torch.testing.assert_close(one(*images, hidden), one(images[1], images[1], hidden))
    assert one.state_dict() == {}


def test_cobi_is_the_sum_of_its_terms():
    pred, target = (features(seed, (1, 3, 16, 16)).sigmoid() for seed in (0, 1))
    loss = CoBiLoss(
        layers={'relu1_2': 0.5, 'conv2_1': 2.0}, patch_size=3, patch_weight=0.7, spatial_weight=0.2
    )
    loss.features.network = tiny_vgg()
    maps = zip(loss.features(pred), loss.features(target), strict=True)
    terms = [contextual(one, other, 0.2) for one, other in maps]
    pixels = contextual(patches(pred, 3), patches(target, 3), 0.2, 'l2')
    torch.testing.assert_close(loss(pred, target), 0.5 * terms[0] + 2 * terms[1] + 0.7 * pixels)


def test_cobi_without_weights_keeps_its_patches(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.delenv('RAWTOOLBOX_WEIGHTS', raising=False)
    pred, target = (features(seed, (1, 3, 16, 16)).sigmoid() for seed in (0, 1))
    expected = contextual(patches(pred, 5), patches(target, 5), 0.1, 'l2')
    torch.testing.assert_close(CoBiLoss(missing='skip')(pred, target), expected)
    assert ContextualLoss(missing='skip')(pred, target) == 0


@pytest.mark.parametrize('size', [3, 4])
def test_patches(size):
    images = torch.arange(24.0).view(1, 1, 4, 6)
    found = patches(images, size) / 255
    assert found.shape == (1, size**2, 4, 6)
    torch.testing.assert_close(found[0, (size - 1) // 2 * (size + 1)], images[0, 0])  # the pixel itself
    assert F.unfold(images, size).sum() < found.sum()


def test_wrong_arguments():
    with pytest.raises(ValueError, match='target: expected the shape'):
        contextual(features(), features()[:1])
    with pytest.raises(ValueError, match="distance: expected 'cosine' or 'l2', found 'l1'"):
        contextual(features(), features(), distance='l1')
    with pytest.raises(ValueError, match="form: expected 'official' or 'paper', found 'cx'"):
        CoBiLoss(form='cx')
    with pytest.raises(ValueError, match="coordinates: expected 'true' or 'official'"):
        CoBiLoss(coordinates='legacy')
