import torch

from rawtoolbox.flow import HybridFlow
from rawtoolbox.losses import FlowSequenceLoss
from rawtoolbox.models import RecurrentFlowLearner


def test_every_parameter_gets_a_gradient_in_bfloat16():
    torch.manual_seed(0)
    model = RecurrentFlowLearner({'type': HybridFlow, 'weights': None}, {'type': FlowSequenceLoss})
    images = torch.randint(0, 256, (2, 2, 3, 64, 64), dtype=torch.uint8)
    samples = {'flow': torch.ones(2, 2, 64, 64), 'valid': torch.ones(2, 1, 64, 64, dtype=torch.uint8)}
    with torch.autocast('cpu', torch.bfloat16):
        losses = model({'first': images[0], 'second': images[1]}, samples, 'loss')
    losses['loss_flow'].backward()
    assert losses['loss_flow'].dtype == torch.float32
    assert losses['epe'] > 0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
