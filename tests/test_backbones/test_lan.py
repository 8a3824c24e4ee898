"""LAN's cost and range, and that it learns."""

import pytest
import torch
from overfit import error_after

from rawtoolbox.backbones import LAN
from rawtoolbox.deployment.complexity import count_macs, count_parameters


def test_parameters_and_operations_are_those_published():
    network = LAN()
    assert count_parameters(network) == 63_772
    assert count_macs(network, torch.empty(1, 4, 224, 224)) == pytest.approx(0.66e9, rel=0.01)


def test_the_image_reaches_a_little_beyond_black_and_white():
    network = LAN(width=8)
    for bias, end in ((-50.0, -0.08), (50.0, 1.08)):
        torch.nn.init.constant_(network.tail[1].bias, bias)
        torch.testing.assert_close(network(torch.rand(1, 4, 8, 8)), torch.full((1, 3, 16, 16), end))


def test_learns_one_batch():
    first, last = error_after(LAN(), steps=100, lr=7e-3)
    assert last < 0.3 * first
