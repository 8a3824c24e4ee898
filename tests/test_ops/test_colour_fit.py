"""Colours fitted to one pair: recovers a known mapping, and does not mind what does not fit."""

import pytest
import torch

from rawtoolbox.ops.colour_fit import LEAST_PIXELS, fit_colours
from rawtoolbox.ops.coord import coord_map


@pytest.fixture
def scene():
    """A source, coordinates, and the target: channels mixed, bent, and brighter towards the corners."""
    torch.manual_seed(0)
    source, coord = torch.rand(2, 3, 24, 32) * 0.6 + 0.1, coord_map(24, 32)[None].expand(2, -1, -1, -1)
    radius2 = coord.square().sum(1, keepdim=True)
    target = 0.05 + 0.5 * source + 0.2 * source.roll(1, 1) + 0.2 * source**2 + 0.05 * radius2 * source
    return source, target, torch.ones(2, 1, 24, 32), coord


def test_recovers_a_quadratic_mapping_with_vignetting(scene):
    source, target, mask, coord = scene
    torch.testing.assert_close(fit_colours(source, target, mask, coord), target, atol=2e-3, rtol=0)
    without = fit_colours(source, target, mask, None)
    assert (without - target).abs().mean() > 3e-3


def test_equals_plain_least_squares(scene):
    """Against torch.linalg.lstsq, without reweighting."""
    source, target, mask, _ = scene
    red, green, blue = pixels = source[0].flatten(1)
    terms = torch.stack([torch.ones_like(red), *pixels, *pixels**2, red * green, green * blue, blue * red])
    noisy = (target + 0.05 * torch.randn_like(target)).clamp(0, 1)
    solution = torch.linalg.lstsq(terms.T.double(), noisy[0].flatten(1).T.double()).solution
    expected = (terms.T.double() @ solution).T.view(3, 24, 32).float().clamp(0, 1)
    torch.testing.assert_close(fit_colours(source, noisy, mask, None, 0)[0], expected, atol=2e-3, rtol=0)


def test_outliers_and_masked_pixels_do_not_count(scene):
    source, target, mask, coord = scene
    wrong = target.clone()
    wrong[:, :, :6] = 1 - wrong[:, :, :6]
    robust, plain = (fit_colours(source, wrong, mask, coord, n) for n in (4, 0))
    assert (robust - target).abs().mean() < 0.5 * (plain - target).abs().mean()
    mask[:, :, :6] = 0
    torch.testing.assert_close(fit_colours(source, wrong, mask, coord), target, atol=2e-3, rtol=0)


def test_images_of_a_batch_do_not_meet(scene):
    source, target, mask, coord = scene
    target[1] = 1 - target[1]
    together = fit_colours(source, target, mask, coord)
    for index in range(2):
        alone = fit_colours(*(tensor[index : index + 1] for tensor in (source, target, mask, coord)))
        torch.testing.assert_close(together[index], alone[0], atol=1e-5, rtol=0)


def test_no_pixel_moves(scene):
    """Pixels change places with the source's."""
    source, target, mask, _ = scene
    order = torch.randperm(24 * 32)
    shuffled = [image.flatten(2)[..., order].view_as(image) for image in (source, target)]
    expected = fit_colours(source, target, mask, None).flatten(2)[..., order].view_as(source)
    torch.testing.assert_close(fit_colours(*shuffled, mask, None), expected, atol=1e-4, rtol=0)


def test_flat_and_few(scene):
    source, target, mask, coord = scene
    flat = torch.full_like(source, 0.3)
    assert (fit_colours(flat, target, mask, None) - target.mean((2, 3), keepdim=True)).abs().max() < 0.05
    few = torch.zeros_like(mask).flatten(2)
    few[..., : LEAST_PIXELS - 1] = 1
    assert torch.equal(fit_colours(source, target, few.view_as(mask), coord), source)
    assert torch.equal(fit_colours(source, target, torch.zeros_like(mask), coord), source)


def test_says_what_is_wrong(scene):
    source, target, mask, coord = scene
    with pytest.raises(ValueError, match=r'target: expected the shape \(2 3 24 32\)'):
        fit_colours(source, target[..., 1:], mask, coord)
    with pytest.raises(ValueError, match=r'mask: expected the shape \(2 1 24 32\)'):
        fit_colours(source, target, source, coord)
    with pytest.raises(ValueError, match=r'coord: expected the shape \(2 2 24 32\)'):
        fit_colours(source, target, mask, coord[:1])
