"""Official files of the compared networks: whole ones are taken over, others refused."""

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from golden_tools import assert_close, expected64, inputs, load, weights
from safetensors.torch import load_file
from torch import nn

from rawtoolbox.registry import BACKBONES
from rawtoolbox.weights.checkpoint import check_fits
from rawtoolbox.weights.official import convert_file, load_weights_file, read_tensors, rename_state
from rawtoolbox.weights.official_names import OFFICIAL_BACKBONES, OFFICIAL_DISCRIMINATORS


def golden_shapes(name, entry='keys'):
    """Names and shapes of an official state dict, constants and counters included."""
    golden = load(name)
    if entry == 'keys':
        return {key['name']: key['shape'] for key in golden.keys}
    return {name: shape for name, shape, *_ in json.loads(golden.arrays[entry].item())}


CASES = {
    'mwispnet': ('mwispnet', 'mw_ispnet'),
    'pynet': ('pynet', 'pynet'),
    'pynet, level 1 not normalised': ('pynet', 'pynet', 'keys_no_level1_norm'),
    'awnet_raw': ('awnet_raw', 'awnet_raw'),
    'awnet_demosaicked': ('awnet_demosaicked', 'awnet_demosaicked'),
    'srresnet x1': ('srresnet', 'srresnet_x1'),
    'srresnet x2': ('srresnet', 'srresnet_x2'),
    'srresnet x4': ('srresnet', 'srresnet_x4'),
    'msrresnet': ('msrresnet', 'srgan_msrresnet'),
    'rrdbnet, 2 blocks': ('rrdbnet', 'rrdbnet'),
    'rrdbnet, named by BasicSR': ('rrdbnet', 'rrdbnet', 'keys_nb23'),
    'rrdbnet, named by ESRGAN': ('rrdbnet', 'rrdbnet_esrgan', 'keys_nb23'),
    'spsr': ('spsr', 'spsr'),
    'patchgan': ('patchgan', 'patchgan'),
    'vgg, 128 pixels': ('vgg_discriminator', 'vgg_disc_128'),
    'vgg, 256 pixels': ('vgg_discriminator', 'vgg_disc_256'),
}
OFFICIAL = OFFICIAL_BACKBONES | OFFICIAL_DISCRIMINATORS


class Official(NamedTuple):
    state: dict[str, torch.Tensor]
    rename: Callable[[str], str | None]
    network: nn.Module


@pytest.fixture(scope='module', params=CASES.values(), ids=CASES.keys())
def official(request):
    """An official state dict without values, and the network that is built for it."""
    network, *golden = request.param
    entry = OFFICIAL[network]
    state = {name: torch.empty(shape, device='meta') for name, shape in golden_shapes(*golden).items()}
    with torch.device('meta'):
        network = entry.registry.build(entry.config(rename_state(state, entry.rename)))
    return Official(state, entry.rename, network)


def test_an_official_file_fits_the_network_that_is_built_for_it(official):
    renamed = rename_state(official.state, official.rename)
    check_fits(renamed, official.network, '', 'The weights')
    assert {name: t.shape for name, t in renamed.items()} == {
        name: t.shape for name, t in official.network.state_dict().items()
    }


def test_no_two_tensors_get_one_name(official):
    kept = [name for name in map(official.rename, official.state) if name is not None]
    assert len(set(kept)) == len(kept)


def test_a_wrong_file_is_refused_with_what_is_missing_and_unexpected(official):
    lost = list(official.network.state_dict())[-1]
    wrong = {name: tensor for name, tensor in official.state.items() if official.rename(name) != lost}
    wrong['stranger.weight'] = torch.empty(1, device='meta')
    with pytest.raises(ValueError, match=rf'1 missing \({lost}\); 1 unexpected \(stranger\.weight\)'):
        check_fits(rename_state(wrong, official.rename), official.network, '', 'The weights')


@pytest.mark.parametrize('network', OFFICIAL)
def test_a_file_of_no_known_network_is_refused(network):
    entry = OFFICIAL[network]
    stranger = rename_state({'stranger.weight': torch.empty(1)}, entry.rename)
    with torch.device('meta'):
        built = entry.registry.build(entry.config(stranger))
    with pytest.raises(ValueError, match=r'missing .*1 unexpected \(stranger\.weight\)'):
        check_fits(stranger, built, '', 'The weights')


@pytest.mark.parametrize(
    ('network', 'arguments'),
    [
        ('rrdbnet', {'scale': 2, 'blocks': 1}),
        ('rrdbnet', {'scale': 1, 'blocks': 1}),
        ('msrresnet', {'scale': 2}),
        ('msrresnet', {'scale': 3}),
        ('spsr', {'blocks': 21}),
        ('awnet_raw', {'blocks': (2, 2, 2, 3, 4)}),
    ],
)
def test_the_form_of_a_network_is_read_off_its_weights(network, arguments):
    entry = OFFICIAL_BACKBONES[network]
    kind = entry.config({})['type']
    with torch.device('meta'):
        state = entry.registry.build({'type': kind, **arguments}).state_dict()
    assert arguments.items() <= entry.config(state).items()


def test_a_converted_file_gives_the_official_output(tmp_path):
    golden = load('rrdbnet_esrgan')
    torch.save({'params': weights(golden)}, tmp_path / 'official.pth')
    config = convert_file(
        OFFICIAL_BACKBONES['rrdbnet'], tmp_path / 'official.pth', tmp_path / 'ours.safetensors'
    )

    network = BACKBONES.build(config)
    network.load_state_dict(load_file(tmp_path / 'ours.safetensors'))
    with torch.no_grad():
        image = network.double()(inputs(golden, 'c0')['lr'])
    assert_close(image, expected64(golden, 'c0')['sr'])


def test_official_names_that_are_partly_ours_are_renamed_when_loaded(tmp_path):
    golden = load('rrdbnet_esrgan')
    state = weights(golden)
    network = BACKBONES.build({'type': 'RRDBNet', 'blocks': 2})
    assert state.keys() & network.state_dict().keys()
    torch.save(state, tmp_path / 'official.pth')
    load_weights_file(network, tmp_path / 'official.pth', OFFICIAL_BACKBONES['rrdbnet'])
    assert torch.equal(network.conv_hr.weight, state['HRconv.weight'])


def test_a_file_under_our_names_is_told_of_under_them(tmp_path):
    network = BACKBONES.build({'type': 'MSRResNet', 'width': 4, 'blocks': 1})
    state = network.state_dict()
    state['stranger.weight'] = state.pop('tail.0.weight')
    torch.save(state, tmp_path / 'ours.pth')
    with pytest.raises(ValueError, match=r'1 missing \(tail\.0\.weight\); 1 unexpected \(stranger\.weight\)'):
        load_weights_file(network, tmp_path / 'ours.pth', OFFICIAL_BACKBONES['msrresnet'])


@pytest.mark.parametrize('wrapper', ['state_dict', 'model_state', 'params', 'params_ema'])
def test_a_training_checkpoint_is_unwrapped(tmp_path, wrapper):
    torch.save({'epoch': 3, wrapper: {'module.head.weight': torch.ones(2)}}, tmp_path / 'official.pkl')
    assert list(read_tensors(tmp_path / 'official.pkl')) == ['head.weight']


def test_names_of_another_network_come_back_unchanged():
    assert OFFICIAL_BACKBONES['spsr'].rename('head.weight') == 'head.weight'
    assert OFFICIAL_BACKBONES['pynet'].rename('blocks.0.bias') == 'blocks.0.bias'
