import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from rawtoolbox.losses import MSSSIMLoss, ms_ssim, ssim
from rawtoolbox.losses.ms_ssim import WEIGHTS
from rawtoolbox.ops.ssim import ssim_maps
from rawtoolbox.registry import LOSSES


def images(height=48, width=56):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)
    return (target + 0.2 * torch.randn(target.shape, generator=generator).double()).clamp(0, 1), target


def by_scipy(first, second, weights):
    """The paper's definition on one grey image, with SciPy's Gaussian."""

    def inside(image):
        return gaussian_filter(image, 1.5, radius=5)[5:-5, 5:-5]

    product = 1.0
    for scale, weight in enumerate(weights):
        mean_1, mean_2 = inside(first), inside(second)
        variance = inside(first**2) - mean_1**2 + inside(second**2) - mean_2**2
        covariance = inside(first * second) - mean_1 * mean_2
        value = (2 * covariance + 0.0009) / (variance + 0.0009)
        if scale == len(weights) - 1:
            value = value * (2 * mean_1 * mean_2 + 0.0001) / (mean_1**2 + mean_2**2 + 0.0001)
        product *= value.mean() ** weight
        first, second = (
            (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4
            for image in (first, second)
        )
    return product


def test_against_scipy():
    pred, target = images()
    weights = WEIGHTS[:3]
    expected = [
        by_scipy(one, other, weights)
        for one, other in zip(pred.flatten(0, 1).numpy(), target.flatten(0, 1).numpy(), strict=True)
    ]
    assert ms_ssim(pred, target, weights=weights).item() == pytest.approx(np.mean(expected))


def test_one_scale_is_ssim_of_each_channel():
    pred, target = images()
    expected = ssim(pred, target, padding='valid')
    assert ms_ssim(pred, target, weights=[1.0]).item() == pytest.approx(expected.item())


def test_weights_of_the_paper():
    assert sum(WEIGHTS) == pytest.approx(1, abs=1e-3)  # as printed
    pred = images(176, 176)[0][:1, :1].float()
    assert ms_ssim(pred, pred).item() == pytest.approx(1)


def test_properties():
    pred, target = images()
    weights = WEIGHTS[:2]
    loss = LOSSES.build({'type': 'MSSSIMLoss', 'weight': 0.15, 'weights': weights})
    torch.testing.assert_close(loss(pred, target), 0.15 * (1 - ms_ssim(pred, target, weights=weights)))
    torch.testing.assert_close(loss(pred, target), loss(target, pred))
    assert loss(pred, pred).item() == pytest.approx(0, abs=1e-12)
    mask = torch.ones(2, 1, 48, 56, dtype=torch.float64)
    mask[..., 28:] = 0
    torch.testing.assert_close(loss(pred, target, mask), loss(pred * mask, target * mask))


def test_the_opposite_has_a_finite_gradient():
    pred = images()[0].requires_grad_()
    loss = MSSSIMLoss(weights=WEIGHTS[:2])(pred, 1 - pred.detach())
    loss.backward()
    assert 0.9 < loss <= 1
    assert torch.isfinite(pred.grad).all()


def test_means_over_the_batch_are_taken_before_the_powers():
    """PyNET's loss, written out for two scales; on unlike images it is not the mean of their own."""
    pred, target = images()
    pred = torch.stack([pred[0], target[1]])
    expected = 1.0
    for weight, part in zip(
        WEIGHTS[:2], (1, 0), strict=True
    ):  # the structure alone but at the coarsest scale
        expected = expected * ssim_maps(pred, target, padding='valid')[part].mean() ** weight
        pred, target = F.avg_pool2d(pred, 2), F.avg_pool2d(target, 2)
    pred, target = images()
    pred = torch.stack([pred[0], target[1]])
    found = ms_ssim(pred, target, weights=WEIGHTS[:2], means='batch')
    torch.testing.assert_close(found, expected)
    assert abs(found - ms_ssim(pred, target, weights=WEIGHTS[:2])) > 1e-3
    loss = MSSSIMLoss(weight=0.4, weights=WEIGHTS[:2], means='batch')
    torch.testing.assert_close(loss(pred, target), 0.4 * (1 - expected))


def test_wrong_arguments():
    pred, target = images()
    with pytest.raises(
        ValueError, match='5 scales need 176 pixels each way, found 48x56; give fewer weights'
    ):
        ms_ssim(pred, target)
    with pytest.raises(ValueError, match='target: expected the shape'):
        ms_ssim(pred, target[:1])
    with pytest.raises(ValueError, match="means: expected 'image' or 'batch', found 'all'"):
        ms_ssim(pred, target, means='all')
