import json
import sys
import zipfile

import pytest
import torch
from conftest import ROOT
from safetensors.torch import save_file

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.engine.config import load_config, plain_config
from rawtoolbox.registry import BACKBONES
from rawtoolbox.weights.carried import build_carried, load_colour_mapper
from rawtoolbox.weights.checkpoint import load_local
from rawtoolbox.weights.untrusted import safe_config

DIS = {'type': 'DISFlow'}


@pytest.mark.parametrize(
    'config',
    [
        {'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1, 'gamma': None},
        {'type': 'AWNetRaw', 'blocks': [1, 1, 1, 1, 1]},
        {'type': 'TimmUNet', 'encoder': 'resnet18.a1_in1k', 'width': 32},
    ],
)
def test_own_configs_pass_unchanged(config):
    assert safe_config(config, 'backbone', 'file') == config


@pytest.mark.parametrize('name', sorted(BACKBONES.module_dict))
def test_dumped_names_are_registered_ones(name):
    dumped = f'{BACKBONES.get(name).__module__}.{name}'
    assert safe_config({'type': dumped}, 'backbone', 'file') == {'type': name}
    assert safe_config({'type': f'rawtoolbox.gone.{name}'}, 'backbone', 'file') == {'type': name}


def test_parts_in_parts_are_checked_alike():
    flow = {
        'type': 'rawtoolbox.flow.refined.RefinedFlow',
        'estimator': {'type': 'PWCNet', 'weights': 'simulated'},
    }
    config = {
        'type': 'FlowAligner',
        'flow_estimator': flow,
        'colour_mapper': {'type': 'GCM', 'weights': 'x/y.pth'},
    }
    found = safe_config(config, 'aligner', 'file')
    assert found['flow_estimator'] == {'type': 'RefinedFlow', 'estimator': flow['estimator']}
    assert found['colour_mapper'] == {'type': 'GCM', 'weights': None}


def nested(depth):
    return DIS if depth == 0 else {'type': 'RefinedFlow', 'estimator': nested(depth - 1)}


@pytest.mark.parametrize(
    ('part', 'config'),
    [
        ('backbone', {'type': 'os.system', 'command': 'true'}),
        ('backbone', {'type': 'rawtoolbox.registry.os.system', 'command': 'true'}),
        ('backbone', {'type': 'rawtoolbox.engine.convert.torch.load', 'f': 'x'}),
        ('backbone', {'type': 'rawtoolbox::LiteISPNet'}),
        ('backbone', {'type': 'mmengine.LiteISPNet'}),
        ('backbone', {'type': 'RawRestorer', 'backbone': {'type': 'LiteISPNet'}}),
        ('backbone', {'type': 'ImgDataPreprocessor'}),
        ('backbone', {'type': 'GCM'}),
        ('backbone', {'type': ['LiteISPNet']}),
        ('backbone', {}),
        ('backbone', 'LiteISPNet'),
        ('backbone', None),
        ('backbone', {'type': 'LiteISPNet', 'checkpoint': 'x.pth'}),
        ('backbone', {'type': 'LiteISPNet', 'gamma': [2.2]}),
        ('backbone', {'type': 'LiteISPNet', 'coord': 'yes'}),
        ('backbone', {'type': 'LiteISPNet', 1: 1}),
        ('backbone', {'type': 'LiteISPNet', 'width': torch.ones(1)}),
        ('backbone', {'type': 'LiteISPNet', 'width': {'type': 'os.system', 'command': 'true'}}),
        ('backbone', {'type': 'LiteISPNet', 'width': '8'}),
        ('backbone', {'type': 'LiteISPNet', 'width': True}),
        ('backbone', {'type': 'LiteISPNet', 'width': 8.0}),
        ('backbone', {'type': 'LiteISPNet', 'width': 100_000}),
        ('backbone', {'type': 'LiteISPNet', 'n_rcab': 10**30}),
        ('backbone', {'type': 'LiteISPNet', 'n_rcab': 10**6000}),
        ('backbone', {'type': 'LiteISPNet', 'gamma': float('nan')}),
        ('backbone', {'type': 'AWNetRaw', 'blocks': [1] * 1000}),
        ('backbone', {'type': 'AWNetRaw', 'blocks': [[[1]]]}),
        ('backbone', {'type': 'TimmUNet', 'name': 'hf_hub:evil/evil', 'pretrained': True}),
        ('backbone', {'type': 'TimmUNet', 'encoder': 'hf_hub:evil/evil'}),
        ('backbone', {'type': 'TimmUNet', 'encoder': 'local-dir:/tmp'}),
        ('backbone', {'type': 'TimmUNet', 'encoder': 'r' * 100_000}),
        ('aligner', {'type': 'GCM'}),
        ('aligner', {'type': 'IdentityAligner', 'args': 1}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': None}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': {'type': 'GCM'}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': 'DISFlow'}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': {'type': 'RefinedFlow', 'estimator': None}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': {'type': 'PtlFlow', 'name': 'raft', 'weights': None}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': DIS, 'colour_mapper': 'GCM'}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': DIS, 'colour_mapper': {'type': 'IdentityAligner'}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': DIS, 'reference': {'type': 'os.system'}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': DIS, 'reference': 'other'}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': {'type': 'PWCNet', 'weights': '/etc/passwd'}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': {'type': 'RAFT', 'weights': 'http://x/y.pth'}}),
        ('aligner', {'type': 'FlowAligner', 'flow_estimator': nested(40), 'reference': 'raw'}),
    ],
)  # fmt: skip
def test_everything_else_is_refused_in_one_line(part, config):
    with pytest.raises(ValueError, match='is refused|is no|takes no argument') as error:
        safe_config(config, part, 'file.pth')
    assert str(error.value).startswith('file.pth: ')
    assert '\n' not in str(error.value) and len(str(error.value)) < 600


def test_arguments_that_have_files_read_are_dropped():
    config = {'type': 'TimmUNet', 'encoder': 'resnet18', 'pretrained': True}
    assert safe_config(config, 'backbone', 'file')['pretrained'] is False


def test_plugins_pass_once_they_are_imported(tmp_path, monkeypatch):
    config = {'type': 'OwnIspOfATest'}
    with pytest.raises(ValueError, match='--import'):
        safe_config(config, 'backbone', 'file')
    lines = ['from rawtoolbox.backbones import LiteISPNet', 'from rawtoolbox.registry import BACKBONES']
    lines += ['@BACKBONES.register_module()', 'class OwnIspOfATest(LiteISPNet): pass']
    (tmp_path / 'own_isp_of_a_test.py').write_text('\n'.join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    __import__('own_isp_of_a_test')
    assert safe_config(config, 'backbone', 'file') == config
    BACKBONES.module_dict.pop('OwnIspOfATest')
    del sys.modules['own_isp_of_a_test']


def test_a_network_is_built_only_when_the_weights_are_its_own():
    """Without memory: this one would take 170 GB."""
    with pytest.raises(ValueError, match='belong to another network'):
        build_carried({'type': 'LiteISPNet', 'width': 1024, 'n_rcab': 64}, 'backbone', {}, 'file')
    with pytest.raises(ValueError, match='LiteISPNet cannot be built'):
        build_carried({'type': 'LiteISPNet', 'width': -8}, 'backbone', {}, 'file')
    network = LiteISPNet(4, 0)
    found = build_carried(
        {'type': 'LiteISPNet', 'width': 4, 'n_rcab': 0}, 'backbone', network.state_dict(), 'file'
    )
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), network.parameters(), strict=True))


def test_views_that_claim_more_than_the_file_has_are_refused(tmp_path):
    torch.save({'state_dict': {'backbone.x': torch.zeros(1).expand(1 << 30)}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='claims 4294967296 bytes'):
        load_local(tmp_path / 'a.pth')


def test_python_in_a_checkpoint_is_dropped(tmp_path):
    meta = {'config': 'raise SystemExit', 'cfg': 'a = 1', 'epoch': 0}
    torch.save({'state_dict': {'x': torch.zeros(1)}, 'meta': meta}, tmp_path / 'a.pth')
    assert load_local(tmp_path / 'a.pth')['meta'] == {'cfg': 'a = 1', 'epoch': 0}
    save_file({'x': torch.zeros(1)}, tmp_path / 'a.safetensors', {'config': json.dumps('raise SystemExit')})
    assert 'config' not in load_local(tmp_path / 'a.safetensors')['meta']


def write_run(path, model, state=None, **more):
    torch.save({'state_dict': state or {}, 'meta': {'model': model}, **more}, path)
    return path


def test_lists_without_end_are_refused_in_one_line(tmp_path):
    """Python's own pickle cannot write them, but a file may hold them."""
    path = write_run(tmp_path / 'a.pth', {'aligner': 'here'})
    depth = 100_000
    marker, endless = b'X\x04\x00\x00\x00here', b']' * depth + b'a' * (depth - 1)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / 'b.pth', 'w') as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith('data.pkl'):
                assert content.count(marker) == 1
                mapping = b'}' + b'X\x04\x00\x00\x00type' + endless + b's'
                content = content.replace(marker, mapping)
            new.writestr(name, content)
    with pytest.raises(ValueError, match='a list of 1 is no registered aligner') as error:
        load_colour_mapper(tmp_path / 'b.pth')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'aligner', [{'type': 'IdentityAligner'}, {'type': 'FlowAligner', 'flow_estimator': DIS}]
)
def test_an_aligner_without_colour_mapper_is_named(tmp_path, aligner):
    with pytest.raises(ValueError, match='no colour mapper'):
        load_colour_mapper(write_run(tmp_path / 'a.pth', {'aligner': aligner}))


def test_sides_of_empty_tensors_allow_nothing(tmp_path):
    """A tensor of no bytes may have a side of a billion: sizes are bounded whatever the tensors claim."""
    mapper = {'type': 'GCM', 'width': 20_000}
    config = {'aligner': {'type': 'FlowAligner', 'flow_estimator': DIS, 'colour_mapper': mapper}}
    path = write_run(tmp_path / 'a.pth', config, {'aligner.x': torch.zeros(0, 10**9)})
    with pytest.raises(ValueError, match='width of GCM is 20000'):
        load_colour_mapper(path)


@pytest.mark.parametrize(
    'tensor',
    [torch.zeros(1 << 20, device='meta'), torch.zeros(4).to_sparse(), torch.zeros(4, dtype=torch.complex64)],
    ids=['meta', 'sparse', 'complex'],
)
def test_only_plain_tensors_are_weights(tmp_path, tensor):
    with pytest.raises(ValueError, match='is no checkpoint'):
        load_local(write_run(tmp_path / 'a.pth', {}, {'x': tensor}))


@pytest.mark.parametrize('config', sorted((ROOT / 'configs').glob('*.py')), ids=lambda path: path.stem)
def test_what_our_configs_train_can_be_loaded_again(config):
    """What a run of each config writes into its checkpoints passes unchanged but for the weights."""
    model = plain_config(load_config(config).model)
    for part in ('backbone', 'aligner'):
        if model.get(part):
            found = safe_config(model[part], part, 'file')
            assert found['type'] == model[part]['type']
            assert found.keys() == model[part].keys()
