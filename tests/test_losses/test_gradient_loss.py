import golden_tools
import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from rawtoolbox.losses import GradientLoss, gradient_distance, gradient_map
from rawtoolbox.registry import LOSSES


def images(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 9, 11, generator=generator, dtype=torch.float64)


def test_against_scipy():
    image = images()
    differences = [correlate1d(image.numpy(), [-1, 0, 1], axis=axis, mode='constant') for axis in (2, 3)]
    expected = np.sqrt(differences[0] ** 2 + differences[1] ** 2 + 1e-6)
    np.testing.assert_allclose(gradient_map(image).numpy(), expected, rtol=1e-12)
    framed = gradient_map(image, padding=2)
    assert framed.shape == (2, 3, 11, 13)
    np.testing.assert_allclose(framed[..., 1:-1, 1:-1].numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(framed[..., 0, 1:-1].numpy(), np.sqrt(image.numpy()[..., 0, :] ** 2 + 1e-6))


def test_official_gradient_map():
    golden = golden_tools.load('spsr')
    for case in ('c0', 'c1'):
        low = golden_tools.inputs(golden, case)['lr']
        golden_tools.assert_close(gradient_map(low), golden_tools.expected64(golden, case)['grad'])


def test_a_slope():
    slope = torch.arange(8.0).repeat(1, 1, 8, 1)
    inside = gradient_map(slope)[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.full_like(inside, 2))


def test_norms_by_hand():
    pred, target = images(0), images(1)
    difference = gradient_map(pred, 2) - gradient_map(target, 2)
    torch.testing.assert_close(gradient_distance(pred, target), (difference**2).mean())
    torch.testing.assert_close(gradient_distance(pred, target, norm='l1'), difference.abs().mean())


def test_properties():
    pred, target = images(0), images(1)
    loss = LOSSES.build({'type': 'GradientLoss', 'weight': 0.01})
    torch.testing.assert_close(loss(pred, target), 0.01 * gradient_distance(pred, target))
    torch.testing.assert_close(loss(pred, target), loss(target, pred))
    assert loss(pred, pred) == 0
    mask = torch.ones(2, 1, 9, 11, dtype=torch.float64)
    mask[..., :5] = 0
    torch.testing.assert_close(loss(pred, target, mask), loss(pred * mask, target * mask))
    assert GradientLoss(padding=1)(pred + 0.1, pred) > 0  # zeros outside make the border an edge


def test_a_constant_image_has_a_finite_gradient():
    pred = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    GradientLoss(norm='l1')(pred, images()[:1, :, :8, :8].float()).backward()
    assert torch.isfinite(pred.grad).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match='padding: expected 1 or 2, found 0'):
        gradient_map(images(), 0)
    with pytest.raises(ValueError, match="norm: expected 'l1' or 'l2', found 'mse'"):
        gradient_distance(images(), images(), norm='mse')
    with pytest.raises(ValueError, match='target: expected the shape'):
        gradient_distance(images(), images()[:1])
