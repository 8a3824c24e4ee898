"""Official files of the joint model: taken over to the same outputs, or refused."""

import json
import os
import pickle
import runpy
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from golden_tools import assert_close, expected64, inputs, load, weights
from safetensors import safe_open
from safetensors.torch import load_file

from rawtoolbox.registry import build_component
from rawtoolbox.weights.official import (
    OFFICIAL,
    convert_file,
    find_weights_file,
    load_weights_file,
    read_tensors,
)

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_weights' / 'convert.py'
CASES = {
    'liteispnet': {'type': 'LiteISPNet', 'coord_predictor': False},
    'liteispnet_precoord': {'type': 'LiteISPNet', 'coord_predictor': True},
    'gcm': {'type': 'GCM', 'coord': True},
    'gcm_nocoord': {'type': 'GCM', 'coord': False},
    'pwcnet': {'type': 'PWCNet', 'weights': None},
}


def official_state(name):
    """The official state dict, the wavelets' constant taps included."""
    golden = load(name)
    state = {key['name']: torch.ones(key['shape']) / 2 for key in golden.keys}
    return golden, state | weights(golden)


@pytest.mark.parametrize(('name', 'config'), CASES.items())
def test_converted_file_gives_the_official_output(tmp_path, name, config):
    golden, state = official_state(name)
    official = OFFICIAL[name.partition('_')[0]]
    torch.save({'state_dict': {f'module.{key}': tensor for key, tensor in state.items()}}, tmp_path / 'a.pth')
    assert convert_file(official, tmp_path / 'a.pth', tmp_path / 'out.safetensors') == config
    with safe_open(tmp_path / 'out.safetensors', 'pt') as file:
        assert json.loads(file.metadata()['config']) == config
    network = build_component(config, official.registry)
    network.load_state_dict(load_file(tmp_path / 'out.safetensors'))
    given = inputs(golden, 'c0')
    if name.startswith('gcm'):
        given = {
            'source': given['demosaic_raw'] ** (1 / 2.2),
            'target': given['dslr'],
            'coord': given.get('coord'),
        }
    if name == 'pwcnet':
        network.forward = lambda **images: network.pyramid_flows(**images)[-1]
    with torch.no_grad():
        output = network.double()(**given)
    assert_close(
        output, next(value for key, value in expected64(golden, 'c0').items() if key in ('rgb', 'flow'))
    )


def test_loads_official_and_converted_files_alike(tmp_path, monkeypatch):
    _, state = official_state('gcm')
    torch.save(state, tmp_path / 'GCMModel_model_80.pth')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    official = OFFICIAL['gcm']
    convert_file(official, 'GCMModel_model_80.pth', tmp_path / 'mine.safetensors')
    first, second = (
        official.registry.build({'type': 'GCM', 'weights': name})
        for name in ('pretrained', 'mine.safetensors')
    )
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(first.tail.weight, state['align_tail.weight'])


def test_wrong_network_is_refused_by_name(tmp_path):
    _, state = official_state('gcm')
    state['stranger.weight'] = state.pop('align_tail.weight')
    torch.save(state, tmp_path / 'gcm.pth')
    with pytest.raises(
        ValueError, match=r'gcm\.pth .*1 missing \(tail\.weight\); 1 unexpected \(stranger\.weight\)'
    ):
        convert_file(OFFICIAL['gcm'], tmp_path / 'gcm.pth', tmp_path / 'out.safetensors')
    with pytest.raises(ValueError, match='belong to another network'):
        convert_file(OFFICIAL['pwcnet'], tmp_path / 'gcm.pth', tmp_path / 'out.safetensors')
    assert not (tmp_path / 'out.safetensors').exists()


def test_another_width_is_refused(tmp_path):
    torch.save(official_state('gcm')[1], tmp_path / 'gcm.pth')
    network = OFFICIAL['gcm'].registry.build({'type': 'GCM', 'width': 8})
    with pytest.raises(ValueError, match=r'body\.0\.0\.bias \(64,\) instead of \(8,\)'):
        load_weights_file(network, tmp_path / 'gcm.pth', OFFICIAL['gcm'])


class Malicious:
    def __reduce__(self):
        return os.mkdir, ('ran',)


@pytest.mark.parametrize('save', [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    save({'head.weight': Malicious()}, tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match=r'evil\.pth is refused: it holds more than tensors'):
        read_tensors(tmp_path / 'evil.pth')
    assert not (tmp_path / 'ran').exists()


def test_files_of_python_2_are_read(tmp_path):
    """PWC-Net's: the old container, and strings as Python 2 pickled them."""

    class Pickler(pickle._Pickler):
        dispatch = dict(pickle._Pickler.dispatch)

        def save_bytestring(self, text):
            self.write(pickle.SHORT_BINSTRING + bytes([len(text)]) + text.encode())
            self.memoize(text)

        dispatch[str] = save_bytestring

    python2 = SimpleNamespace(Pickler=Pickler, __name__='pickle')
    python2.dump = lambda value, file, protocol: Pickler(file, protocol).dump(value)
    state = OrderedDict(weight=torch.rand(2, 3))
    torch.save(
        state, tmp_path / 'old.pytorch', python2, pickle_protocol=2, _use_new_zipfile_serialization=False
    )
    assert torch.equal(read_tensors(tmp_path / 'old.pytorch')['weight'], state['weight'])


def test_says_what_is_wrong(tmp_path):
    (tmp_path / 'cut.pth').write_bytes(b'PK\x03\x04 cut')
    (tmp_path / 'cut.safetensors').write_bytes(b'cut')
    (tmp_path / 'empty.pth').touch()
    for name in ('cut.pth', 'cut.safetensors', 'empty.pth'):
        with pytest.raises(ValueError, match=rf'{name} is (damaged|refused)'):
            read_tensors(tmp_path / name)
    torch.save([torch.zeros(1)], tmp_path / 'list.pth')
    torch.save({'epoch': 3}, tmp_path / 'epoch.pth')
    for name in ('list.pth', 'epoch.pth'):
        with pytest.raises(ValueError, match=rf'{name} is no checkpoint: expected named tensors'):
            read_tensors(tmp_path / name)
    with pytest.raises(ValueError, match=r'out\.pth: converted weights are written to a \.safetensors file'):
        convert_file(OFFICIAL['gcm'], tmp_path / 'list.pth', tmp_path / 'out.pth')
    with pytest.raises(
        FileNotFoundError, match=r'gone\.pth is neither here nor in .* Get GCMModel_model_80\.pth'
    ):
        find_weights_file('gone.pth', OFFICIAL['gcm'])


def test_the_tool(tmp_path, monkeypatch, capsys):
    torch.save(official_state('gcm')[1], tmp_path / 'gcm.pth')

    def run(network, out):
        monkeypatch.setattr(
            'sys.argv', ['convert.py', network, str(tmp_path / 'gcm.pth'), str(tmp_path / out)]
        )
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name='__main__')
        return stop.value.code, capsys.readouterr()

    status, printed = run('gcm', 'out.safetensors')
    assert status == 0 and "'type': 'GCM'" in printed.out and 'sha256' in printed.out
    status, printed = run('pwcnet', 'no.safetensors')
    assert status == 2 and printed.err.startswith('error: ') and 'another network' in printed.err
    assert len(printed.err.splitlines()) == 1 and not (tmp_path / 'no.safetensors').exists()
