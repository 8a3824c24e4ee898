"""SYENet's cost in training and deployed, that both give the same image, and that it learns."""

import pytest
import torch
from overfit import error_after
from torch import nn

from rawtoolbox.backbones import SYENet
from rawtoolbox.backbones.syenet import BranchedConv
from rawtoolbox.deployment.complexity import count_macs, count_parameters
from rawtoolbox.deployment.optimize import optimize_for_inference


@pytest.fixture
def trained():
    """A network whose batch normalisation has seen something."""
    torch.manual_seed(0)
    network = SYENet()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                values.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def test_parameters_and_operations_are_those_published():
    network = SYENet().eval()
    assert count_parameters(network) == 101_799
    assert count_macs(network, torch.empty(1, 4, 224, 224)) == pytest.approx(4.87e9, rel=0.01)
    assert count_parameters(network.deploy()) == 5_640


@pytest.mark.parametrize('size', [1, 3, 5])
def test_branches_are_one_convolution(size):
    torch.manual_seed(0)
    branched = BranchedConv(3, 4, size, 2).double().train()
    branched(
        torch.randn(4, 3, 8, 8, dtype=torch.float64)
    )  # for statistics that are not those of initialisation
    x = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(branched.eval().merge()(x), branched(x))


def test_deployed_gives_the_same_image_and_leaves_the_network_alone(trained):
    raw = torch.rand(2, 4, 20, 24)
    with torch.no_grad():
        expected = trained(raw)
        torch.testing.assert_close(trained.deploy()(raw), expected, atol=1e-5, rtol=0)
        assert torch.equal(trained(raw), expected)


def test_is_deployed_by_optimisation(trained):
    raw = torch.rand(1, 4, 20, 24)
    fast = optimize_for_inference(trained)
    assert not any(isinstance(module, BranchedConv) for module in fast.modules())
    with torch.no_grad():
        torch.testing.assert_close(fast(raw), trained(raw), atol=1e-5, rtol=0)


def test_learns_one_batch():
    first, last = error_after(SYENet(), steps=40, lr=1e-2)
    assert last < 0.3 * first
