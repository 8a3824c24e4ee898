import pytest
import torch
import torch.nn.functional as F
from tiny_vgg import tiny_vgg

from rawtoolbox.losses import VGGMSELoss
from rawtoolbox.losses.vgg import normalise
from rawtoolbox.registry import LOSSES


@pytest.fixture(scope='module')
def network():
    return tiny_vgg().double()


def images():
    generator = torch.Generator().manual_seed(0)
    pred, target = (torch.rand(2, 3, 32, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.ones(2, 1, 32, 32, dtype=torch.float64)
    mask[..., :16] = 0
    return pred, target, mask


def make(network, **arguments):
    loss = VGGMSELoss(**arguments)
    loss.features.network = network
    return loss


def test_pynet_compares_the_last_relu_of_normalised_images(network):
    """Torch's own squared error of the network cut before its last pooling."""
    pred, target, _ = images()
    expected = 0.5 * F.mse_loss(network[:-1](normalise(pred)), network[:-1](normalise(target)))
    assert make(network, weight=0.5)(pred, target).item() == pytest.approx(expected.item())


def test_awnet_compares_all_layers_of_images_as_they_are(network):
    pred, target, _ = images()
    expected = F.mse_loss(network(pred), network(target)) / 3
    loss = make(network, pool=True, normalise=False, weight=1 / 3)
    assert loss(pred, target).item() == pytest.approx(expected.item(), rel=1e-9)


def test_masked_pixels_are_not_seen(network):
    pred, target, mask = images()
    other = torch.where(mask.bool(), target, 1 - target)
    loss = make(network)
    assert loss(pred, target, mask) == loss(pred, other, mask)
    assert loss(pred, target) != loss(pred, other)


def test_only_the_prediction_gets_a_gradient(network):
    pred, target, _ = images()
    make(network)(pred.requires_grad_(), target.requires_grad_()).backward()
    assert pred.grad.abs().sum() > 0
    assert target.grad is None


def test_without_weights_it_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.delenv('RAWTOOLBOX_WEIGHTS', raising=False)
    pred, target, _ = images()
    assert LOSSES.build({'type': 'VGGMSELoss', 'missing': 'skip'})(pred, target) == 0
    with pytest.raises(FileNotFoundError, match='vgg19'):
        VGGMSELoss()(pred, target)
