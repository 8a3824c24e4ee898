import numpy as np
import pytest
import torch
from golden_tools import assert_close, load
from skimage import color

from rawtoolbox.ops.colour import (
    apply_matrix,
    gamma_encode,
    linear_to_srgb,
    luminance,
    match_exposure,
    srgb_to_linear,
    to_uint8,
)

RAMP = torch.linspace(0, 1, 256, dtype=torch.float64)


def test_srgb_curve_by_hand():
    encoded = torch.tensor([0.0, 0.02, 0.04045, 0.5, 1.0], dtype=torch.float64)
    linear = torch.tensor([0.0, 0.0015479876, 0.0031308050, 0.2140411405, 1.0], dtype=torch.float64)
    assert torch.allclose(srgb_to_linear(encoded), linear, atol=1e-9)
    assert torch.allclose(linear_to_srgb(linear), encoded, atol=2e-7)


def test_srgb_curves_are_inverse_and_rising():
    assert torch.allclose(linear_to_srgb(srgb_to_linear(RAMP)), RAMP, atol=1e-7)
    assert (srgb_to_linear(RAMP).diff() > 0).all()
    assert (linear_to_srgb(RAMP).diff() > 0).all()


def test_linear_luminance_agrees_with_scikit_image():
    image = np.random.default_rng(1).random((5, 7, 3))
    ours = luminance(srgb_to_linear(torch.from_numpy(image).permute(2, 0, 1)[None]))
    assert np.abs(ours[0, 0].numpy() - color.rgb2xyz(image)[..., 1]).max() < 2e-4


@pytest.mark.parametrize('curve', [srgb_to_linear, linear_to_srgb, gamma_encode])
def test_gradients_are_finite_at_black_and_below(curve):
    image = torch.tensor([-1.0, -1e-3, 0.0, 1e-9, 1e-3, 1.0, 2.0], requires_grad=True)
    curve(image).sum().backward()
    assert torch.isfinite(image.grad).all()
    assert (image.grad >= 0).all()


def test_gamma_agrees_with_the_official_code():
    golden = load('preprocess').arrays
    packed = torch.from_numpy(golden['zrr.extract_bayer_channels'])
    assert_close(gamma_encode(packed), torch.from_numpy(golden['zrr.raw_gamma_packed']))


def test_gamma_is_the_power_above_eps_continuous_at_it_and_zero_below_zero():
    levels = torch.arange(1, 16384, dtype=torch.float64) / 16383
    assert torch.equal(gamma_encode(levels), levels ** (1 / 2.2))
    around = gamma_encode(torch.tensor([1e-6 * (1 - 1e-9), 1e-6], dtype=torch.float64))
    assert (around[1] - around[0]).abs() < 1e-10
    assert gamma_encode(torch.tensor([-0.5, 0.0])).tolist() == [0, 0]
    assert torch.allclose(gamma_encode(RAMP, gamma=1.8), RAMP ** (1 / 1.8))


def test_luminance_weights_and_shape():
    white = luminance(torch.ones(2, 3, 4, 5))
    assert white.shape == (2, 1, 4, 5)
    assert torch.allclose(white, torch.tensor(1.0))
    assert luminance(torch.eye(3).view(1, 3, 1, 3)).flatten().tolist() == pytest.approx(
        [0.2126, 0.7152, 0.0722]
    )


def test_exposure_matches_each_mean_by_one_factor():
    image, reference = torch.rand(3, 3, 6, 6) + 0.1, torch.rand(3, 3, 12, 12)
    matched = match_exposure(image, reference)
    assert torch.allclose(matched.mean(dim=(1, 2, 3)), reference.mean(dim=(1, 2, 3)))
    ratio = (matched / image).flatten(1)
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio))


def test_exposure_of_a_black_image_stays_finite():
    assert torch.isfinite(match_exposure(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4))).all()
    with pytest.raises(ValueError, match='reference: expected the shape'):
        match_exposure(torch.ones(2, 3, 4, 4), torch.ones(1, 3, 4, 4))


def test_matrix_maps_each_pixel():
    image, matrices = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 3)
    mapped = apply_matrix(image, matrices)
    for n in range(2):
        expected = (matrices[n] @ image[n].flatten(1)).view(3, 4, 5)
        assert torch.allclose(mapped[n], expected)
    assert torch.allclose(apply_matrix(image, matrices[0])[0], mapped[0])
    assert torch.equal(apply_matrix(image, torch.eye(3)), image)
    with pytest.raises(ValueError, match=r'matrix: expected the shape \(2 3 3\), found \(3 3 3\)'):
        apply_matrix(image, torch.rand(3, 3, 3))


def test_eight_bit_values_are_rounded_and_clipped():
    image = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 1.3])
    assert to_uint8(image).tolist() == [0, 0, 0, 1, 128, 255, 255]
    levels = torch.arange(256)
    assert torch.equal(to_uint8(levels / 255), levels.to(torch.uint8))
