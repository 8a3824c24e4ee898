import golden_tools
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from rawtoolbox.losses import SSIMLoss, ssim
from rawtoolbox.ops.ssim import blur, gaussian_window, ssim_maps

GOLDEN = golden_tools.load('losses')
CASES = {case['id']: case for case in GOLDEN.meta['cases']}


def images(shape=(1, 3, 20, 24)):
    generator = torch.Generator().manual_seed(0)
    pred = torch.rand(shape, generator=generator, dtype=torch.float64)
    return pred, (pred + 0.3 * torch.rand(shape, generator=generator, dtype=torch.float64)).clamp(0, 1)


@pytest.mark.parametrize('case', CASES)
def test_official_values(case):
    pred, target, mask = golden_tools.inputs(GOLDEN, case).values()
    values = CASES[case]['values_f64']
    assert ssim(pred, target).item() == pytest.approx(values['plain']['ssim'], rel=1e-6)
    assert ssim(pred, target, mask).item() == pytest.approx(values['masked']['ssim'], rel=1e-6)


def test_official_gradient():
    pred, target, _ = golden_tools.inputs(GOLDEN, 'c0').values()
    ssim(pred.requires_grad_(), target).backward()
    expected = torch.from_numpy(GOLDEN.arrays['c0.grad.ssim'])  # of a float32 run
    golden_tools.assert_close(pred.grad, expected, rtol=1e-5)


def test_agrees_with_scikit_image_inside():
    pred, target = images()
    expected = structural_similarity(
        pred[0].numpy(),
        target[0].numpy(),
        channel_axis=0,
        data_range=1,
        gaussian_weights=True,
        use_sample_covariance=False,
    )
    assert ssim(pred, target, padding='valid').item() == pytest.approx(expected, rel=1e-6)


def test_window_is_a_gaussian():
    image = np.zeros((15, 15))
    image[7, 7] = 1
    expected = gaussian_filter(image, 1.5, radius=5)
    found = blur(torch.from_numpy(image)[None, None], gaussian_window(like=torch.from_numpy(image)))
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-12)


def test_identity_and_symmetry():
    pred, target = images()
    assert ssim(pred, pred).item() == pytest.approx(1)
    torch.testing.assert_close(ssim(pred, target), ssim(target, pred))
    assert ssim(pred, target) < 1
    assert SSIMLoss()(pred, pred).item() == pytest.approx(0, abs=1e-12)


def test_weight():
    pred, target = images()
    expected = 0.15 * (1 - ssim(pred, target))
    torch.testing.assert_close(SSIMLoss(weight=0.15)(pred, target), expected)


def test_mask_blackens_both():
    pred, target = images()
    mask = torch.zeros(1, 1, 20, 24, dtype=torch.float64)
    mask[..., :12] = 1
    torch.testing.assert_close(ssim(pred, target, mask), ssim(pred * mask, target * mask))
    assert ssim(pred, target, 0 * mask).item() == pytest.approx(1)


def test_sizes_of_the_maps():
    pred, target = images()
    assert ssim_maps(pred, target)[0].shape == (1, 3, 20, 24)
    assert ssim_maps(pred, target, padding='valid')[1].shape == (1, 3, 10, 14)


def test_autocast_does_not_spoil_the_variances():
    pred, target = (image.float() for image in images())
    expected = ssim(pred, target).item()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert ssim(pred, target).item() == pytest.approx(expected, abs=1e-6)
        loss = SSIMLoss()(pred.bfloat16(), target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1 - expected, abs=5e-3)


def test_gradient_is_right():
    pred, target = images((1, 1, 12, 12))
    assert torch.autograd.gradcheck(lambda image: ssim(image, target), pred.requires_grad_())


def test_a_constant_image_has_a_finite_gradient():
    pred = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    SSIMLoss()(pred, torch.zeros(1, 3, 16, 16)).backward()
    assert torch.isfinite(pred.grad).all()


def test_wrong_arguments():
    pred, target = images()
    with pytest.raises(ValueError, match='target: expected the shape'):
        ssim(pred, target[:, :2])
    with pytest.raises(ValueError, match="expected 'zeros' or 'valid', found 'same'"):
        ssim(pred, target, padding='same')
    with pytest.raises(ValueError, match='expected 11 pixels each way or more'):
        ssim(pred[..., :8], target[..., :8], padding='valid')
