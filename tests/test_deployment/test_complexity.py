"""Multiply-accumulates, by hand and against the published numbers."""

import pytest
import torch
from torch import nn

from rawtoolbox.deployment.complexity import count_macs, count_parameters
from rawtoolbox.registry import BACKBONES

# Network, its input that gives a 448x448 image, and the multiply-accumulates of the official code in 1e9.
PUBLISHED = [
    ('MWISPNet', (4, 224, 224), 88.36),
    ('PyNET', (4, 224, 224), 342.2),
    ('AWNetRaw', (4, 224, 224), 74.98),
    ('AWNetDemosaicked', (3, 448, 448), 292.1),
    ('SRResNet', (4, 56, 56), 94.1),
    ('RRDBNet', (3, 112, 112), 224.9),
    ('SPSR', (3, 112, 112), 657.3),
    ('MSRResNet', (3, 112, 112), 31.8),
]


@pytest.mark.parametrize(('name', 'shape', 'giga'), PUBLISHED)
def test_published_costs_at_448(name, shape, giga):
    with torch.device('meta'):
        network = BACKBONES.build({'type': name})
    assert count_macs(network, torch.empty(1, *shape)) / 1e9 == pytest.approx(giga, rel=0.01)


def test_hand_counts():
    image = torch.rand(2, 3, 10, 12)
    assert count_macs(nn.Conv2d(3, 8, 5, padding=2), image) == 2 * 8 * 10 * 12 * 3 * 25
    assert count_macs(nn.Conv2d(3, 6, 3, stride=2, groups=3), image) == 2 * 6 * 4 * 5 * 9
    assert count_macs(nn.ConvTranspose2d(3, 8, 2, stride=2), image) == 2 * 8 * 10 * 12 * 3 * 4
    assert count_macs(nn.Linear(12, 7), image) == 2 * 3 * 10 * 12 * 7
    assert count_macs(nn.InstanceNorm2d(3), image) == 0


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_macs(network, torch.rand(1, 3, 8, 8))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert network.training


def test_frozen_parameters_are_not_counted():
    network = nn.Linear(3, 5)
    network.bias.requires_grad_(False)
    assert count_parameters(network) == 15
