"""RefinedFlow: what a second, nearer look adds to a flow."""

import pytest
import torch
from torch import nn

from rawtoolbox.flow import DISFlow, RefinedFlow
from rawtoolbox.registry import FLOW_ESTIMATORS


class FourFifths(nn.Module):
    """Finds four fifths of the displacement of a horizontal ramp, wherever the slope is known."""

    def forward(self, first, second):
        slope = first[..., 1:].sub(first[..., :-1])[..., 12:-12].mean()
        x = 0.8 * (first - second).mean(1, keepdim=True) / slope
        return torch.cat([x, torch.zeros_like(x)], 1)


class Constant(nn.Module):
    """Ten pixels to the right, always."""

    def forward(self, first, second):
        return torch.tensor([10.0, 0.0]).view(1, 2, 1, 1).expand(len(first), 2, *first.shape[-2:])


@pytest.mark.parametrize('scale', [1, 2, 3])
def test_finds_the_same_part_of_what_the_first_look_left(scale):
    ramp = (0.1 + 0.01 * torch.arange(64.0)).expand(1, 3, 16, 64)
    flow = RefinedFlow(FourFifths(), scale)(ramp, ramp - 0.03)
    expected = torch.tensor([3 * (0.8 + 0.2 * 0.8), 0.0]).view(1, 2, 1, 1).expand(1, 2, 16, 40)
    torch.testing.assert_close(
        flow[..., 8:48], expected, atol=0.02, rtol=0
    )  # enlarged ramps are not quite straight


def test_leaves_what_is_out_of_the_frame_as_the_first_look_saw_it():
    images = torch.rand(2, 1, 3, 8, 32)
    flow = RefinedFlow(Constant(), 2)(*images)
    assert torch.equal(flow[..., 22:], torch.tensor([10.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 10))
    assert torch.equal(flow[:, 0, :, :22], torch.full((1, 8, 22), 15.0))  # and 10 pixels of twice the size


def test_is_built_from_a_config():
    estimator = FLOW_ESTIMATORS.build({'type': 'RefinedFlow', 'estimator': {'type': 'DISFlow'}, 'scale': 1.5})
    assert isinstance(estimator.estimator, DISFlow)
    assert estimator(*torch.rand(2, 1, 3, 33, 47)).shape == (1, 2, 33, 47)


def test_a_look_from_further_away_is_refused():
    with pytest.raises(ValueError, match='scale is at least 1, found 0.5'):
        RefinedFlow(Constant(), 0.5)
