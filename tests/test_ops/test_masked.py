import pytest
import torch

from rawtoolbox.ops.masked import at_least_float32, check_images, mask_images


def test_both_are_zero_outside_the_mask():
    pred, target = torch.rand(1, 3, 4, 4, dtype=torch.bfloat16), torch.rand(1, 3, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, 0] = 1
    for before, after in zip((pred, target), mask_images(pred, target, mask), strict=True):
        assert after.dtype == torch.float32
        assert (after[..., 0, 0] == before[..., 0, 0].float()).all()
        assert after.count_nonzero() == before[..., 0, 0].count_nonzero()


def test_a_mask_of_another_size_is_refused():
    image = torch.rand(1, 3, 4, 4)
    with pytest.raises(ValueError, match='mask'):
        check_images(image, image, torch.ones(1, 1, 4, 5))


def test_double_precision_is_kept():
    assert at_least_float32(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
    assert at_least_float32(torch.zeros(1, dtype=torch.float16)).dtype == torch.float32
