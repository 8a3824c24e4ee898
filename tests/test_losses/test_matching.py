import math

import pytest
import torch

from rawtoolbox.losses.matching import bilinear_target, matching_error, normalise


def test_target_lies_between_the_cells():
    target = bilinear_target(torch.tensor([[0.25, -1.0], [0.0, 2.0]]), 2).view(2, 5, 5)
    torch.testing.assert_close(target.sum((1, 2)), torch.ones(2))
    assert target[0, 1].tolist() == [0, 0, 0.75, 0.25, 0]  # y = -1: the second row
    assert target[1, 4, 2] == 1


def pyramid(scale):
    """Distinct features, the same in both images: the true flow is zero."""
    torch.manual_seed(0)
    features = scale * torch.randn(2, 64, 24, 24)
    return [features], [features.clone()]


def error(first, second, flow=0.0):
    torch.manual_seed(1)
    truth = torch.full((2, 2, 48, 48), flow)
    return matching_error(first, second, truth, torch.ones(2, 1, 48, 48))


def test_features_that_tell_places_apart_cost_less():
    """What is left is the entropy of a target that lies between four cells, and the chance where nothing matches."""
    assert error(*pyramid(1.0)) < error(*pyramid(0.1)) < math.log(81)


def test_a_wrong_truth_costs_more():
    assert error(*pyramid(1.0)) + 0.5 < error(*pyramid(1.0), flow=20.0)


def test_features_without_contrast_cost_what_chance_does():
    constant = torch.ones(2, 8, 24, 24)
    assert error([constant], [constant]).item() == pytest.approx(math.log(81), abs=0.3)


def test_gives_features_a_gradient_from_the_start():
    first, second = ([features.requires_grad_() for features in side] for side in pyramid(0.01))
    error(first, second).backward()
    for features in (*first, *second):
        assert features.grad.isfinite().all()
        assert features.grad.abs().max() > 0


def test_normalised_per_image_and_channel():
    features = normalise(3 + 5 * torch.randn(2, 3, 20, 20))
    torch.testing.assert_close(features.mean((2, 3)), torch.zeros(2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.std((2, 3), correction=0), torch.ones(2, 3), atol=1e-4, rtol=0)
