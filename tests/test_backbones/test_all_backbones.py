"""What every registered backbone keeps to, those of plugins included."""

import inspect

import pytest
import torch

from rawtoolbox.registry import BACKBONES

# Arguments that make a network small; the widths keep every ratio that its layers divide by.
SMALL = {
    'AWNetDemosaicked': {'width': 16, 'blocks': (1, 1, 1, 1, 1)},
    'AWNetRaw': {'width': 16, 'blocks': (1, 1, 1, 1, 1)},
    'DevelopUNet': {'widths': (8, 8, 8), 'blocks': (1, 1, 1, 1, 1)},
    'LAN': {'width': 8},
    'LiteISPNet': {'width': 16, 'n_rcab': 1},
    'MSRResNet': {'width': 8, 'blocks': 2},
    'MWISPNet': {'width': 16, 'n_rcab': 1},
    'MetaISP': {'width': 8, 'expansion': 8, 'bases': 3},
    'PyNET': {'width': 4},
    'RRDBNet': {'width': 8, 'blocks': 2, 'growth': 4},
    'SPSR': {'width': 8, 'blocks': 20, 'growth': 4},
    'SRResNet': {'width': 8, 'blocks': 2},
    'SYENet': {'width': 4, 'branch_scale': 2},
    'TimmUNet': {'encoder': 'mobilenetv3_small_050', 'width': 8},
}
# Parameters that exist for released weights only.
DEAD = {'AWNetDemosaicked': 'conv_down', 'AWNetRaw': 'conv_down'}

SIZE = (32, 48)  # a multiple of every network's stride

BACKBONES.import_from_location()
NAMES = sorted(
    name
    for name, cls in BACKBONES.module_dict.items()
    if not cls.__module__.startswith(('test_', 'conftest'))
)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def network(name):
    torch.manual_seed(0)
    return BACKBONES.build({'type': name, **SMALL.get(name, {})})


def make_inputs(network, size=SIZE):
    generator = torch.Generator().manual_seed(0)
    raw = torch.rand(2, network.raw_input.channels, *size, generator=generator)
    coord = torch.rand(2, 2, *size, generator=generator) * 2 - 1
    return raw, coord


def supervised(network, raw, coord):
    """All images that training can look at."""
    heads = getattr(network, 'forward_heads', None)
    return heads(raw) if heads else [network(raw, coord)]


@pytest.mark.parametrize('training', [True, False], ids=['train', 'eval'])
def test_output_is_finite_and_of_the_declared_size(network, training):
    with torch.no_grad():
        image = network.train(training)(*make_inputs(network))
    assert image.shape == (2, 3, *(int(side * network.raw_input.scale) for side in SIZE))
    assert image.isfinite().all()


def test_every_parameter_gets_a_gradient(network, name):
    sum(image.square().mean() for image in supervised(network, *make_inputs(network))).backward()
    without = [key for key, p in network.named_parameters() if p.requires_grad and p.grad is None]
    dead = DEAD.get(name)
    assert [key for key in without if dead is None or dead not in key] == []
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_the_output_is_the_first_supervised_image(network):
    raw, coord = make_inputs(network)
    with torch.no_grad():
        assert torch.equal(supervised(network.eval(), raw, coord)[0], network(raw, coord))


def test_images_of_a_batch_do_not_meet(network):
    raw, coord = make_inputs(network)
    with torch.no_grad():
        together = network.eval()(raw, coord)
        alone = network(raw[1:], coord[1:])
    assert torch.allclose(together[1:], alone, atol=1e-4)


def test_weights_survive_a_round_trip(network, name):
    other = BACKBONES.build({'type': name, **SMALL.get(name, {})})
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        inputs = make_inputs(network)
        assert torch.equal(network.eval()(*inputs), other.eval()(*inputs))


def test_wrong_number_of_channels_is_refused(network):
    raw, coord = make_inputs(network)
    with pytest.raises(ValueError, match=r'raw: expected the shape \(N \d+ H W\), found \(2 7 32 48\)'):
        network(raw[:, :1].expand(-1, 7, -1, -1), coord)


def test_wrong_size_is_refused_with_the_size_to_pad_to(network):
    multiple = network.raw_input.multiple
    if multiple == 1:
        raw, coord = make_inputs(network, (33, 47))
        with torch.no_grad():
            assert network.eval()(raw, coord).isfinite().all()
        return
    raw, coord = make_inputs(network, (33, 48))
    with pytest.raises(
        ValueError, match=rf'multiples of {multiple}, found 33x48: pad it to {33 + multiple - 1}x48'
    ):
        network(raw, coord)


def test_only_keyword_defaults(name):
    """Every argument has a default, so that a config may name the network and nothing else."""
    parameters = list(inspect.signature(BACKBONES.get(name)).parameters.values())
    assert all(p.default is not p.empty for p in parameters)
