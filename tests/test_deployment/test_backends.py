"""Ways to run a network: each gives the image that the plain one gives; the automatic one takes the fastest."""

import pytest
import torch
from torch import nn

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.deployment import backends
from rawtoolbox.deployment.backends import Choice, FastestNetwork, decibels, make_network, open_backend
from rawtoolbox.deployment.openvino_network import OpenVinoNetwork


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return LiteISPNet(4, 0).eval()


@pytest.fixture
def inputs():
    return torch.rand(1, 4, 16, 24), torch.rand(1, 2, 16, 24)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(FastestNetwork, 'found', {})


def expected(network, inputs):
    with torch.no_grad():
        return network(*inputs)


@pytest.mark.parametrize('backend', ['plain', 'torch', 'openvino', 'auto'])
def test_every_backend_gives_the_image(backend, network, inputs):
    found = make_network(network, backend, dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(found(*inputs), expected(network, inputs), rtol=0, atol=1e-5)


class Form(nn.Module):
    """A network that adds an error to another's image; its time is told by ``_run`` below."""

    def __init__(self, network, error, seconds):
        super().__init__()
        self.network, self.error, self.seconds = network, error, seconds

    def forward(self, raw, coord=None):
        return self.network(raw, coord) + self.error


@pytest.fixture
def forms(network, monkeypatch):
    """Errors and seconds of each form, in place of real ones."""
    values = {
        ('torch', torch.float32): (0, 1.0),
        ('torch', torch.bfloat16): (1e-4, 0.4),
        ('openvino', torch.bfloat16): (1e-4, 0.2),
        ('openvino', torch.float32): (0, 0.5),
    }
    made = []

    def make(backbone, backend, device, dtype, graphs):
        made.append((backend, dtype))
        return Form(network, *values[backend, dtype])

    monkeypatch.setattr(backends, 'make_network', make)
    monkeypatch.setattr(backends, '_run', lambda form, *inputs: (form(*inputs), form.seconds))
    monkeypatch.setattr(backends, 'find_spec', lambda name: True)
    return values, made


def test_the_fastest_is_taken(network, inputs, forms):
    found = FastestNetwork(network)
    found(*inputs)
    assert found.choice == Choice('openvino', torch.bfloat16, 5.0, pytest.approx(80, abs=0.1))
    assert str(found.choice) == 'openvino in bfloat16, 5.0 times as fast as torch in float32, 80 dB to it'


def test_what_changes_the_image_is_not_taken(network, inputs, forms):
    values, _ = forms
    values['torch', torch.bfloat16] = (0.01, 0.4)  # 40 dB
    found = FastestNetwork(network)
    found(*inputs)
    assert (found.choice.backend, found.choice.dtype) == ('openvino', torch.float32)


def test_a_small_gain_or_a_small_network_is_not_worth_it(network, inputs, forms):
    values, made = forms
    values['torch', torch.bfloat16] = (0, 0.95)
    values['openvino', torch.float32] = (0, 0.95)
    found = FastestNetwork(network)
    found(*inputs)
    assert found.choice == Choice('torch', torch.float32)
    assert str(found.choice) == 'torch in float32'
    made.clear()
    FastestNetwork.found.clear()
    values['torch', torch.float32] = values['torch', torch.bfloat16] = (0, 0.01)
    FastestNetwork(network)(*inputs)
    assert made == [('torch', torch.float32), ('torch', torch.bfloat16)]


def test_the_type_that_is_asked_for_is_kept(network, inputs, forms):
    _, made = forms
    FastestNetwork(network, dtype=torch.float32)(*inputs)
    assert made == [('torch', torch.float32), ('openvino', torch.float32)]


def test_what_was_found_serves_the_next_network_of_its_kind(network, inputs, forms):
    _, made = forms
    FastestNetwork(network)(*inputs)
    made.clear()
    FastestNetwork(LiteISPNet(4, 0))(*inputs)
    assert made == [('openvino', torch.bfloat16)]
    made.clear()
    FastestNetwork(LiteISPNet(8, 0))(*inputs)
    assert len(made) == 3


def test_what_cannot_be_run_is_left_out(inputs):
    class Unsteady(nn.Module):
        def forward(self, raw, coord):
            return raw[:, :3] * (2 if raw.mean() > 0.5 else 1)

    with pytest.raises(ValueError, match='Unsteady cannot be converted to OpenVINO: '):
        OpenVinoNetwork(Unsteady())(*inputs)


def test_decibels():
    assert decibels(torch.zeros(4), torch.full((4,), 0.1)) == pytest.approx(20)


def test_wrong_names_are_named(network, tmp_path):
    with pytest.raises(ValueError, match="backend: expected one of auto, torch, openvino, plain, found 'x'"):
        make_network(network, 'x')
    with pytest.raises(ValueError, match='openvino runs on the CPU'):
        make_network(network, 'openvino', 'cuda')
    with pytest.raises(ValueError, match='the plain network computes in float32'):
        make_network(network, 'plain', dtype=torch.bfloat16)
    assert open_backend('auto', tmp_path / 'a.safetensors') == 'auto'
    with pytest.raises(FileNotFoundError, match=r'a.int8.xml: make it by tools/export.py --int8'):
        open_backend('openvino', tmp_path / 'a.safetensors', 'int8')
    with pytest.raises(ValueError, match='--backend torch cannot run what --dtype int8'):
        open_backend('torch', tmp_path / 'a.safetensors', 'int8')
