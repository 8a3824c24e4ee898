import math

import pytest
import torch

from rawtoolbox.losses import FlowSequenceLoss
from rawtoolbox.losses.flow_sequence import scale_nll


def test_the_scale_is_best_where_it_is_the_error():
    error, valid = torch.full((1, 1, 4, 4), 0.3), torch.ones(1, 1, 4, 4)
    scales = [math.log(0.3) + step for step in (-0.5, 0, 0.5)]
    losses = [scale_nll(error, torch.full_like(error, scale), valid).item() for scale in scales]
    assert min(losses) == losses[1] == pytest.approx(math.log(0.3) + 1)


def test_later_iterations_count_more_and_unknown_places_not():
    truth, valid = torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    off, right = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 8, 8)
    off[:, 0] = 2
    loss, scale = FlowSequenceLoss(decay=0.5, scale_weight=0), torch.zeros(1, 1, 8, 8)
    assert loss([off, right], scale, truth, valid).item() == pytest.approx(1, abs=0.01)
    assert loss([off, off, right], scale, truth, valid).item() == pytest.approx(1.5, abs=0.01)
    wrong = right.clone()
    wrong[..., :4] = 100
    valid[..., :4] = 0
    assert loss([wrong], scale, truth, valid).item() == pytest.approx(0, abs=0.01)


def test_the_likelihood_does_not_move_the_flow():
    flow = torch.ones(1, 2, 4, 4, requires_grad=True)
    scale = torch.zeros(1, 1, 4, 4, requires_grad=True)
    arguments = torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4)
    gradients = [
        torch.autograd.grad(FlowSequenceLoss(scale_weight=w)([flow], scale, *arguments), flow)[0]
        for w in (0, 1)
    ]
    torch.testing.assert_close(*gradients)


def test_shapes():
    with pytest.raises(ValueError, match='log_scale'):
        FlowSequenceLoss()(
            [torch.zeros(1, 2, 4, 4)],
            torch.zeros(1, 2, 4, 4),
            torch.zeros(1, 2, 4, 4),
            torch.ones(1, 1, 4, 4),
        )
