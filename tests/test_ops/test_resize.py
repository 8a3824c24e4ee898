import pytest
import torch
import torch.nn.functional as F

from rawtoolbox.losses import masked_l1
from rawtoolbox.ops.resize import shrink, shrink_masked


def test_an_image_of_that_size_is_left_alone():
    image = torch.rand(1, 3, 4, 6)
    assert shrink(image, (4, 6)) is image


def test_stripes_finer_than_the_new_pixels_become_grey():
    stripes = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 8, 32)
    assert (shrink(stripes, (2, 8))[..., 1:-1] - 0.5).abs().max() < 0.03


def test_the_official_form_aligns_corners_and_does_not_filter():
    ramp = torch.arange(9.0).expand(1, 1, 5, 9)
    assert shrink(ramp, (5, 3), 'official')[0, 0, 0].tolist() == [
        0,
        4,
        8,
    ]  # as it is, and not a mean about it


def test_official_masks_stay_soft_and_the_loss_is_that_of_the_resized_image():
    """cszhilu1998/RAW-to-sRGB: |prediction * resized mask - resized image|, the image zero outside the mask."""
    torch.manual_seed(0)
    mask = torch.ones(2, 1, 16, 16)
    mask[..., :8] = 0
    image, pred = torch.rand(2, 3, 16, 16) * mask, torch.rand(2, 3, 7, 7)
    small, share = shrink_masked(image, mask, (7, 7), 'official')
    resized, soft = (F.interpolate(x, (7, 7), mode='bilinear', align_corners=True) for x in (image, mask))
    assert ((soft > 0) & (soft < 1)).any()
    torch.testing.assert_close(masked_l1(pred, small, share), (pred * soft - resized).abs().mean())


def test_masks_are_hard_otherwise():
    mask = torch.ones(1, 1, 16, 16)
    mask[..., :5] = 0
    assert set(shrink_masked(mask, mask, (7, 7))[1].flatten().tolist()) == {0.0, 1.0}


def test_another_form_is_refused():
    with pytest.raises(ValueError, match="expected 'antialiased' or 'official', found 'plain'"):
        shrink(torch.rand(1, 3, 8, 8), (4, 4), 'plain')
