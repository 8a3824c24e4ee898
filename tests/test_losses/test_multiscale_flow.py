import pytest
import torch

from rawtoolbox.losses import MultiscaleFlowLoss, multiscale_flow_error
from rawtoolbox.losses.multiscale_flow import level_error


def test_a_constant_error_is_its_length_at_every_level():
    truth, valid = torch.randn(2, 2, 16, 16), torch.ones(2, 1, 16, 16)
    flows = [
        torch.nn.functional.avg_pool2d(truth, k) + torch.tensor([3.0, 4.0]).view(2, 1, 1) for k in (8, 4, 1)
    ]
    torch.testing.assert_close(multiscale_flow_error(flows, truth, valid, (1, 10, 100)), torch.tensor(555.0))


def test_the_true_flow_costs_next_to_nothing():
    truth = torch.randn(1, 2, 8, 8)
    assert multiscale_flow_error([truth], truth, torch.ones(1, 1, 8, 8), (1,)) < 2e-3


def test_what_is_not_valid_neither_counts_nor_leaks():
    truth, valid = torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    spoilt, known = truth.clone(), valid.clone()
    spoilt[..., 3:5], known[..., 3:5] = 1000, 0
    flow = torch.ones(1, 2, 2, 2)
    torch.testing.assert_close(level_error(flow, spoilt, known), level_error(flow, truth, valid))
    assert level_error(flow, spoilt, torch.zeros_like(valid)) == 0


def test_gradient_is_finite_at_the_truth():
    flow = torch.zeros(1, 2, 4, 4, requires_grad=True)
    MultiscaleFlowLoss(2.0, (1,))([flow], torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)).backward()
    assert torch.equal(flow.grad, torch.zeros_like(flow))


def test_the_weight_is_a_factor():
    flow, truth, valid = torch.ones(1, 2, 4, 4), torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    one, three = (MultiscaleFlowLoss(weight, (1,))([flow], truth, valid) for weight in (1, 3))
    torch.testing.assert_close(three, 3 * one)


def test_levels_and_weights_must_agree():
    with pytest.raises(ValueError, match='weights: expected one for each of 1 flows, found 2'):
        multiscale_flow_error(
            [torch.zeros(1, 2, 4, 4)], torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4), (1, 1)
        )
