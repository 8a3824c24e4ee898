import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from rawtoolbox.flow import PWCNet
from rawtoolbox.losses import MultiscaleFlowLoss
from rawtoolbox.models import FlowLearner


class Constant(nn.Module):
    """The same flow everywhere, at a quarter of the size and in units of 10 pixels."""

    unit = 10

    def __init__(self):
        super().__init__()
        self.flow = nn.Parameter(torch.zeros(2))

    def extractor(self, image):
        return image

    def flows_between(self, first, second):
        height, width = first.shape[-2:]
        return [self.flow.view(1, 2, 1, 1).expand(len(first), 2, height // 4, width // 4)]

    def forward(self, first, second):
        return 10 * self.flow.view(1, 2, 1, 1).expand(len(first), 2, *first.shape[-2:])


def batch(size=16):
    images = torch.randint(0, 256, (2, 2, 3, size, size), dtype=torch.uint8)
    flow = torch.tensor([3.0, -1.0]).view(1, 2, 1, 1).expand(2, 2, size, size)
    samples = {'flow': flow, 'valid': torch.ones(2, 1, size, size, dtype=torch.uint8), 'name': ['a', 'b']}
    return {'first': images[0], 'second': images[1]}, samples


def test_learns_a_flow_in_pixels():
    model = FlowLearner(Constant(), {'type': MultiscaleFlowLoss, 'level_weights': (1,)})
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    inputs, samples = batch()
    for _ in range(100):
        optimiser.zero_grad()
        model(inputs, samples, 'loss')['loss_flow'].backward()
        optimiser.step()
    torch.testing.assert_close(10 * model.flow_estimator.flow, torch.tensor([3.0, -1.0]), atol=0.2, rtol=0)
    results = model(inputs, samples, 'predict')
    assert [result['name'] for result in results] == ['a', 'b']
    assert (results[0]['flow'] - results[0]['true_flow']).abs().max() < 0.2
    assert results[0]['flow_valid'].shape == (1, 16, 16)


def test_pwcnet_gets_a_gradient_everywhere_in_bfloat16():
    torch.manual_seed(0)
    model = FlowLearner({'type': PWCNet, 'weights': None}, {'type': MultiscaleFlowLoss})
    inputs, samples = batch(64)
    with torch.autocast('cpu', torch.bfloat16):
        loss = model(inputs, samples, 'loss')['loss_flow']
    loss.backward()
    assert loss.dtype == torch.float32
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0 or '.0.upsample' in name, name


def test_modes():
    model = FlowLearner(Constant(), {'type': MultiscaleFlowLoss, 'level_weights': (1,)})
    inputs, _ = batch()
    assert model(inputs).shape == (2, 2, 16, 16)
    with pytest.raises(ValueError, match="mode is 'tensor', 'loss' or 'predict', got 'train'"):
        model(inputs, mode='train')


def test_features_learn_alone_at_first_and_not_at_last():
    def losses(iteration):
        MessageHub.get_current_instance().update_info('iter', iteration)
        return model(*batch(64), 'loss').keys()

    pwcnet, flow_loss = {'type': PWCNet, 'weights': None}, {'type': MultiscaleFlowLoss}
    model = FlowLearner(pwcnet, flow_loss, matching=0.5, features_first=3, matching_until=5)
    try:
        assert [losses(iteration) for iteration in (2, 3, 4, 5)] == [
            {'loss_matching'},
            {'loss_matching', 'loss_flow'},
            {'loss_matching', 'loss_flow'},
            {'loss_flow'},
        ]
    finally:
        MessageHub.get_current_instance().update_info('iter', 0)


def test_iterations_without_a_loss_are_refused():
    with pytest.raises(ValueError, match='features_first: without matching nothing would be learned'):
        FlowLearner(Constant(), {'type': MultiscaleFlowLoss}, features_first=1)
    with pytest.raises(ValueError, match='matching_until: expected at least features_first, 3, found 2'):
        FlowLearner(Constant(), {'type': MultiscaleFlowLoss}, matching=1, features_first=3, matching_until=2)


def test_an_untrained_network_sees_nothing_move():
    first, second = torch.rand(2, 1, 3, 64, 64)
    assert PWCNet(weights=None)(first, second).abs().max() < 1
