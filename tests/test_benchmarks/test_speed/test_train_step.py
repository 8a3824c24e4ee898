"""All forms of the training step train alike."""

import pytest
import torch

from rawtoolbox.benchmarks.speed.train_step import FORMS, TrainingStep, count_operations, draw_batch


@pytest.fixture(scope='module')
def batch():
    return draw_batch(2, 64, 'cpu')


def step(batch, name):
    arguments = {key: value for key, value in FORMS[name].items() if key != 'compile_networks'}
    training = TrainingStep(batch, 'cpu', width=8, **arguments)
    loss = training.loss()
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in training.model.parameters()])


def test_forms_have_the_same_loss_and_nearly_the_same_gradient(batch):
    loss, gradient = step(batch, 'plain float32')
    for name in list(FORMS)[1:6]:
        other, direction = step(batch, name)
        tolerance = 1e-4 if name == 'float32' else 2e-2  # relative; bfloat16 has eight bits
        assert other == pytest.approx(loss, rel=tolerance), name
        similarity = torch.nn.functional.cosine_similarity(gradient, direction, dim=0)
        assert similarity > (0.9999 if name == 'float32' else 0.98), name


def test_a_step_trains(batch):
    training = TrainingStep(batch, 'cpu', width=8, on_device=True, fused=True)
    before = [p.detach().clone() for p in training.model.parameters()]
    training()
    after = list(training.model.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(moved) > 0.9 * len(moved)  # a dead unit or two have no gradient


def test_checkpointing_keeps_less(batch):
    kept = [
        TrainingStep(batch, 'cpu', width=16, on_device=True, checkpointing=on).kept_bytes() for on in (0, 1)
    ]
    assert kept[1] < 0.85 * kept[0]


def test_operations_are_those_of_the_roofline():
    """3 x 146.4 (LiteISPNet) + 3 x 8.2 (GCM) + 73.6 (PWC-Net) + 3 x 39 (VGG-19, half size) = 655 GFLOP a sample."""
    training = TrainingStep(draw_batch(1, 64, 'cpu'), 'cpu', width=64, on_device=True)
    assert count_operations(training, 448) / 1e9 == pytest.approx(655, rel=0.02)
