"""Folded networks and layers against the originals, in float64."""

import pytest
import torch
from torch import nn

from rawtoolbox.backbones import LiteISPNet, MetaISP, MSRResNet, MWISPNet
from rawtoolbox.deployment.complexity import count_macs
from rawtoolbox.deployment.fold import FoldedTail, fold_dwt, fold_iwt, fold_network, split_input
from rawtoolbox.ops.dwt import haar_dwt, haar_iwt

EXACT = dict(rtol=0, atol=1e-13)


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5


def run(module, *inputs):
    with torch.no_grad():
        return module(*inputs)


@pytest.mark.parametrize('kernel', [1, 3, 5])
@pytest.mark.parametrize('bias', [True, False])
def test_dwt_and_convolution_are_one(kernel, bias):
    conv = nn.Conv2d(12, 5, kernel, padding=kernel // 2, bias=bias).double()
    folded, x = fold_dwt(conv), rand(2, 3, 12, 20)
    assert folded.kernel_size == (2 * kernel, 2 * kernel)
    torch.testing.assert_close(run(folded, x), run(conv, haar_dwt(x)), **EXACT)


@pytest.mark.parametrize('kernel', [1, 3])
@pytest.mark.parametrize('bias', [True, False])
def test_convolution_and_iwt_are_one(kernel, bias):
    conv = nn.Conv2d(5, 12, kernel, padding=kernel // 2, bias=bias).double()
    x = rand(2, 5, 6, 10)
    torch.testing.assert_close(run(fold_iwt(conv), x), haar_iwt(run(conv, x)), **EXACT)


def test_folding_costs_nothing():
    conv, x = nn.Conv2d(32, 16, 3, padding=1), torch.empty(1, 8, 64, 64)
    assert count_macs(fold_dwt(conv), x) == count_macs(conv, torch.empty(1, 32, 32, 32))


@pytest.mark.parametrize(
    'conv',
    [
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.Conv2d(8, 8, 3, padding=1, groups=2),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode='reflect'),
        nn.Conv2d(8, 8, 3),
        nn.Conv2d(8, 8, 2),
    ],
)
def test_what_cannot_be_folded_is_refused(conv):
    for fold in (fold_dwt, fold_iwt):
        with pytest.raises(ValueError, match='cannot be folded: expected a square, odd kernel'):
            fold(conv)


@pytest.mark.parametrize('size', [(2, 2), (2, 7), (9, 4)])
def test_tail_is_exact_to_the_border(size):
    tail = nn.Sequential(nn.Conv2d(6, 20, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(5, 3, 3, padding=1))
    tail, x = tail.double(), rand(2, 6, *size)
    torch.testing.assert_close(run(FoldedTail(tail), x), run(tail, x), **EXACT)


def test_split_convolutions_add_up():
    conv, x = nn.Conv2d(7, 4, 3, padding=1).double(), rand(1, 7, 8, 8)
    first, rest = split_input(conv, 5)
    assert first.bias is None
    torch.testing.assert_close(run(first, x[:, :5]) + run(rest, x[:, 5:]), run(conv, x), **EXACT)


@pytest.mark.parametrize(
    'network',
    [
        LiteISPNet(6, 1),
        LiteISPNet(6, 2, gamma=None, coord=False),
        LiteISPNet(6, 1, gamma=None, coord_predictor=True),
        MWISPNet(6, 1),
        MSRResNet(4, 1),
    ],
    ids=['release', 'table B', 'predicted coordinates', 'MW-ISPNet', 'another'],
)
def test_networks_give_the_same_image(network):
    network = network.double()
    raw, coord = rand(2, network.raw_input.channels, 16, 24) + 0.5, rand(2, 2, 16, 24)
    expected = run(network, raw, coord)
    folded = fold_network(network)
    assert not folded.training and not any(p.requires_grad for p in folded.parameters())
    torch.testing.assert_close(run(folded, raw, coord), expected, **EXACT)
    assert all(p.requires_grad for p in network.parameters()) and network.training
    torch.testing.assert_close(run(network, raw, coord), expected, rtol=0, atol=0)


def test_wrong_inputs_are_named():
    folded = fold_network(LiteISPNet(4, 1))
    with pytest.raises(ValueError, match='coordinates are missing'):
        folded(torch.rand(1, 4, 16, 16))
    with pytest.raises(ValueError, match=r'coord: expected the shape'):
        folded(torch.rand(1, 4, 16, 16), torch.rand(1, 2, 8, 8))
    with pytest.raises(ValueError, match='multiples of 8'):
        folded(torch.rand(1, 4, 12, 16), torch.rand(1, 2, 12, 16))


def test_the_tail_of_metaisp_is_folded():
    torch.manual_seed(0)
    network = MetaISP(width=8, expansion=8, bases=3).double().eval()
    folded, raw = fold_network(network), rand(1, 4, 16, 24)
    assert isinstance(folded.tail, FoldedTail) and not isinstance(network.tail, FoldedTail)
    torch.testing.assert_close(run(folded, raw), run(network, raw), **EXACT)
