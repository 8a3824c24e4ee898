"""How a training step is computed changes what it costs, not what it gives."""

import copy

import pytest
import torch
from test_restorer import batch, restorer
from torch import nn

from rawtoolbox.layers.checkpointing import set_checkpointing
from rawtoolbox.layers.rcab import ResidualGroup


def step(model):
    """The losses of a step, and the gradients by name."""
    losses = model(**model.data_preprocessor(batch()), mode='loss')
    sum(losses.values()).backward()
    return losses, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_close(first, second, **tolerance):
    assert first.keys() == second.keys() and first
    for name in first:
        torch.testing.assert_close(first[name], second[name], msg=name, check_stride=False, **tolerance)


def test_checkpointing_gives_the_same_losses_and_gradients():
    plain, thrifty = step(restorer()), step(restorer(checkpointing=True))
    assert_close(plain[0], thrifty[0], rtol=0, atol=0)
    assert_close(plain[1], thrifty[1], rtol=0, atol=0)


@pytest.mark.parametrize(('checkpointing', 'kept'), [(False, 5), (True, 1)])
def test_checkpointing_keeps_the_input_alone(checkpointing, kept):
    group, sizes = ResidualGroup(4, 1), []
    set_checkpointing(group, checkpointing)
    x = torch.rand(1, 4, 8, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        group(x)
    images = sum(size == x.numel() for size in sizes)
    assert images == kept if checkpointing else images >= kept


def test_checkpointing_computes_in_the_same_precision_again():
    torch.manual_seed(0)
    group = ResidualGroup(4, 1)
    gradients = []
    for checkpointing in (False, True):
        set_checkpointing(group, checkpointing)
        x = torch.linspace(0, 1, 256).reshape(1, 4, 8, 8).requires_grad_()
        with torch.autocast('cpu', torch.bfloat16):
            y = group(x)
        y.float().square().sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)


def test_networks_without_such_parts_say_so():
    with pytest.raises(ValueError, match='Sequential has no part that can be checkpointed'):
        restorer(backbone=nn.Sequential(nn.Conv2d(4, 12, 1), nn.PixelShuffle(2)), checkpointing=True)


def test_channels_last_gives_the_same_losses_and_gradients():
    plain, last = restorer(), restorer(channels_last=True)
    assert last.backbone.head.weight.is_contiguous(memory_format=torch.channels_last)
    seen = []
    last.backbone.down2.register_forward_hook(
        lambda module, given, made: seen.append(made.is_contiguous(memory_format=torch.channels_last))
    )
    first, second = step(plain), step(last)
    assert seen == [True]
    assert_close(first[0], second[0], rtol=1e-5, atol=1e-6)
    assert_close(first[1], second[1], rtol=1e-3, atol=1e-5)


def test_checkpoints_are_the_same_in_either_format():
    plain, last = restorer(), restorer(channels_last=True)
    for p in plain.parameters():
        nn.init.uniform_(p)
    last.load_state_dict(copy.deepcopy(plain.state_dict()))
    for name, value in last.state_dict().items():
        assert torch.equal(value, plain.state_dict()[name]), name
    assert last.backbone.head.weight.is_contiguous(memory_format=torch.channels_last)


def test_networks_are_compiled_one_by_one_under_their_own_names(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, 'compile', lambda self: compiled.append(type(self).__name__))
    model = restorer(compile_networks=True)
    assert compiled == ['LiteISPNet', 'GCM']
    assert model.state_dict().keys() == restorer().state_dict().keys()
    restorer('raw', compile_networks=True)  # no colour mapper
