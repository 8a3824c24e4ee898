"""Several optimisers behind the interface of one."""

import pytest
import torch
from torch import nn

from rawtoolbox.engine import AutocastOptimWrapper, GANOptimWrapperConstructor

CONFIG = {
    'generator': {'optimizer': {'type': 'SGD', 'lr': 0.1}, 'clip_grad': {'max_norm': 1e-3}},
    'discriminator': {'optimizer': {'type': torch.optim.Adam, 'lr': 0.2}},
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.discriminator = nn.Linear(2, 1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Model()


def wrap(model, **changes):
    return GANOptimWrapperConstructor({**CONFIG, **changes})(model)


def test_each_side_has_its_own_parameters_and_rate(model):
    wrapper = wrap(model)
    theirs = {name: [id(p) for g in each.param_groups for p in g['params']] for name, each in wrapper.items()}
    assert theirs['generator'] == [id(p) for p in model.backbone.parameters()]
    assert theirs['discriminator'] == [id(p) for p in model.discriminator.parameters()]
    assert wrapper.get_lr() == {'generator.lr': [0.1], 'discriminator.lr': [0.2]}


def test_one_backward_pass_and_a_step_of_each(model):
    wrapper, before = wrap(model), [p.clone() for p in model.parameters()]
    loss = model.backbone(torch.ones(2)).sum() + model.discriminator(torch.ones(2)).sum()
    wrapper.update_params(loss)
    moved = [(p - b).norm().item() for p, b in zip(model.parameters(), before, strict=True)]
    assert sum(m**2 for m in moved[:2]) ** 0.5 == pytest.approx(1e-4, rel=1e-3)  # clipped by itself
    assert moved[2:4] == [0, 0]
    assert moved[4] == pytest.approx(0.2 * 2**0.5)  # Adam's first step: the rate, whatever the gradient
    wrapper.update_params(model.discriminator(torch.ones(2)).sum())
    assert model.backbone.weight.grad is None  # nothing is left of the last step


def test_state_survives_a_round_trip(model):
    wrapper = wrap(model)
    wrapper.update_params(model.backbone(torch.ones(2)).sum() + model.discriminator(torch.ones(2)).sum())
    other = wrap(Model())
    other.load_state_dict(wrapper.state_dict())
    assert other.state_dict()['discriminator']['state'][0]['step'] == 1


def test_autocast_of_either_covers_the_forward_pass(model):
    changes = {name: {**each, 'type': AutocastOptimWrapper} for name, each in CONFIG.items()}
    with wrap(model, **changes).optim_context(model):
        assert model.backbone(torch.ones(1, 2)).dtype == torch.bfloat16


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match="expected 'generator' and 'discriminator', found critic"):
        GANOptimWrapperConstructor({'critic': CONFIG['generator']})


def test_accumulation_is_refused(model):
    with pytest.raises(ValueError, match='accumulative_counts must be 1'):
        wrap(model, discriminator={**CONFIG['discriminator'], 'accumulative_counts': 2})


def test_a_model_without_discriminator_is_refused():
    with pytest.raises(ValueError, match='Linear has no discriminator'):
        GANOptimWrapperConstructor(CONFIG)(nn.Linear(1, 1))
