import torch

from rawtoolbox.ops.resize import shrink


def test_an_image_of_that_size_is_left_alone():
    image = torch.rand(1, 3, 4, 6)
    assert shrink(image, (4, 6)) is image


def test_stripes_finer_than_the_new_pixels_become_grey():
    stripes = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 8, 32)
    assert (shrink(stripes, (2, 8))[..., 1:-1] - 0.5).abs().max() < 0.03
