"""MetaISP's cost, what its blocks do, and that it learns."""

import pytest
import torch
from overfit import error_after
from torch import nn

from rawtoolbox.backbones import MetaISP
from rawtoolbox.backbones.metaisp import Choice, mix_channels
from rawtoolbox.deployment.complexity import count_macs, count_parameters


def test_parameters_and_operations_are_those_published():
    network = MetaISP()
    assert count_parameters(network) == 1_117_635
    assert count_macs(network, torch.empty(1, 4, 224, 224)) == pytest.approx(8.23e9, rel=0.01)


def test_shares_sum_to_one_and_depend_on_the_image_alone():
    choice, x = Choice(8, 5), torch.randn(2, 8, 6, 6)
    shares = choice(x)
    assert shares.shape == (2, 5, 1, 1)
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 1, 1))
    torch.testing.assert_close(choice(x[1:]), shares[1:])


def test_one_share_mixes_by_one_matrix_here_and_everywhere():
    x, bases = torch.randn(2, 4, 5, 6), torch.randn(3, 4, 4)
    shares = torch.zeros(2, 3, 1, 1)
    shares[0, 1] = shares[1, 2] = 1
    expected = torch.stack([torch.einsum('io,ihw->ohw', bases[k], x[n]) for n, k in ((0, 1), (1, 2))])
    torch.testing.assert_close(mix_channels(x, bases, shares), expected)
    torch.testing.assert_close(mix_channels(x, bases, shares.expand(-1, -1, 5, 6)), expected)


def test_the_average_may_be_one_about_each_position():
    """What inference on large frames puts in the pool's place; a map that is the same everywhere changes nothing."""

    class Everywhere(nn.Module):
        def forward(self, x):
            return x.mean((2, 3), keepdim=True).expand_as(x)

    torch.manual_seed(0)
    network, raw = MetaISP(width=8, expansion=8, bases=3).eval(), torch.rand(1, 4, 16, 24)
    with torch.no_grad():
        expected = network(raw)
        for module in network.modules():
            if isinstance(module, Choice):
                module.pool = Everywhere()
        torch.testing.assert_close(network(raw), expected, atol=1e-5, rtol=1e-5)


def test_learns_one_batch():
    first, last = error_after(MetaISP(width=16, expansion=16, bases=3), steps=30, lr=3e-3)
    assert last < 0.3 * first
