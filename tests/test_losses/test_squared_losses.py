import pytest
import torch
import torch.nn.functional as F

from rawtoolbox.losses import GradientBranchLoss, gradient_map, masked_mse
from rawtoolbox.registry import LOSSES


def images():
    generator = torch.Generator().manual_seed(0)
    pred, target = (torch.rand(2, 3, 6, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = (torch.rand(2, 1, 6, 8, generator=generator) > 0.3).double()
    return pred, target, mask


def test_squared_error_against_torch():
    pred, target, mask = images()
    loss = LOSSES.build({'type': 'MSELoss', 'weight': 10.0})
    assert loss(pred, target).item() == pytest.approx(10 * F.mse_loss(pred, target).item())
    assert masked_mse(pred, target, mask).item() == pytest.approx(
        F.mse_loss(pred * mask, target * mask).item()
    )
    valid = mask.bool().expand_as(pred)
    mean = masked_mse(pred, target, mask, form='masked_mean')
    assert mean.item() == pytest.approx(F.mse_loss(pred[valid], target[valid]).item())


def test_squared_error_refuses_other_shapes():
    pred, target, _ = images()
    with pytest.raises(ValueError, match=r'target: expected the shape \(2 3 6 8\), found \(2 3 6 4\)'):
        masked_mse(pred, target[..., :4])


def test_gradient_branch_is_compared_with_the_map_of_the_target():
    _, target, mask = images()
    loss = GradientBranchLoss(weight=0.5)
    assert loss(gradient_map(target), target, mask) == 0
    assert loss(gradient_map(target) + 0.2, target).item() == pytest.approx(0.1)
