"""The model zoo: complete, buildable, and written as text that is checked."""

import runpy

import pytest
import torch
import yaml
from conftest import ROOT
from golden_tools import load, weights

from rawtoolbox.apis import get_model, list_models
from rawtoolbox.weights.official import OFFICIAL
from rawtoolbox.weights.official_names import OFFICIAL_BACKBONES
from rawtoolbox.zoo.models import (
    METAFILE,
    differences,
    find_model,
    network_cost,
    read_metafile,
    sort_models,
)
from rawtoolbox.zoo.tables import model_zoo_markdown, scores, terminal_page

TOOL = ROOT / 'tools' / 'model_zoo.py'


@pytest.fixture
def small_zoo(tmp_path):
    """A checkout of two models, one of which has official weights."""
    folder = tmp_path / 'configs'
    folder.mkdir()
    for name, kind in (('none_esrgan_photos', 'RRDBNet'), ('none_srgan_photos', 'MSRResNet')):
        (folder / f'{name}.py').write_text(
            f"model = dict(type='RawRestorer', backbone=dict(type='{kind}', blocks=2))\n"
        )
    paper = {'Title': 'A paper', 'URL': 'https://example.org'}
    collections = [
        {'Name': name, 'Paper': paper, 'Code': {'URL': 'https://example.org/code'}} for name in ('A', 'B')
    ]
    official = {'File': 'a.pth', 'Converter': 'rrdbnet', 'Licence': 'Apache 2.0', 'SHA256': 'unknown'}
    result = {
        'Dataset': 'photos',
        'Source': 'Measured',
        'Metrics': {'Align GT with raw': {'PSNR': 20.5, 'SSIM': 0.5}},
    }
    models = [
        {
            'Name': 'none_srgan_photos',
            'In Collection': 'B',
            'Metadata': {'Training Data': 'photos'},
            'Results': [result],
        },
        {'Name': 'none_esrgan_photos', 'In Collection': 'A', 'Official Weights': official},
    ]
    for model in models:
        model['Config'] = f'configs/{model["Name"]}.py'
    metafile = folder / 'metafile.yml'
    metafile.write_text(yaml.safe_dump({'Collections': collections, 'Models': models}))
    return metafile


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the tool in this process: its exit status, and what it printed."""

    def run(*arguments):
        monkeypatch.setattr('sys.argv', [str(TOOL), *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name='__main__')
        return stop.value.code, capsys.readouterr()

    return run


def test_every_config_is_listed_and_every_entry_has_one():
    assert differences() == []


def test_the_metafile_says_what_the_tables_need():
    for model in read_metafile().values():
        assert model.collection['Paper']['URL'].startswith('https://') and model.collection['Code']['URL']
        for result in model.results:
            assert result['Source'].startswith(('Paper, Table ', 'Measured')) and result['Dataset']
            for protocol, values in result['Metrics'].items():
                assert protocol in ('Original GT', 'Align GT with raw', 'Align GT with result')
                assert 10 < values['PSNR'] < 40 and 0 < values.get('SSIM', 0.5) < 1
        if model.official_weights:
            assert model.official_weights['Converter'] in OFFICIAL | OFFICIAL_BACKBONES
            assert model.official_weights['Licence'] and model.official_weights['SHA256']


def test_numbers_of_the_paper_are_those_of_table_1():
    entry = find_model('gcm_liteisp_zrr')
    assert scores(entry.results[0]['Metrics']['Align GT with raw']) == '23.76 / 0.8730 / 0.133'
    assert '| 21.55 / 0.7487 / 0.187 | 23.76 / 0.8730 / 0.133 | 23.87 / 0.8737 / 0.133 |' in (
        ROOT / 'model_zoo.md'
    ).read_text(encoding='utf-8')


def test_costs_are_the_published_ones():
    cost = network_cost({'type': 'SRResNet'})
    assert cost.parameters == 4_862_467 and cost.macs == pytest.approx(94.1e9, rel=0.01)
    assert network_cost({'type': 'RRDBNet'}).macs == pytest.approx(224.9e9, rel=0.01)


def test_models_are_found_by_name_data_and_network():
    assert list_models('gcm_liteisp_z*')[0] == 'gcm_liteisp_zrr'
    assert set(list_models(data='sr-raw')) > {'gcm_srresnet_srraw'}
    assert all('awnet' in name for name in list_models(collection='AWNet', data='ZRR'))
    with pytest.raises(KeyError, match=r"No model 'gcm_liteisp_zr'\. Did you mean gcm_liteisp_zrr"):
        get_model('gcm_liteisp_zr')


def test_a_network_with_weights_of_every_kind(small_zoo, tmp_path, monkeypatch):
    golden = load('rrdbnet_esrgan')
    official = weights(golden)
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'a\.pth is neither here nor in'):
        get_model('none_esrgan_photos', 'official', small_zoo)
    torch.save(official, tmp_path / 'a.pth')
    network = get_model('none_esrgan_photos', 'official', small_zoo)
    assert torch.equal(network.conv_hr.weight, official['HRconv.weight']) and not network.training
    run = {
        'state_dict': {f'backbone.{name}': tensor for name, tensor in network.state_dict().items()},
        'meta': {},
    }
    torch.save(run, tmp_path / 'epoch_1.pth')
    trained = get_model('none_esrgan_photos', tmp_path / 'epoch_1.pth', small_zoo)
    assert torch.equal(trained.conv_hr.weight, network.conv_hr.weight)
    assert get_model('none_srgan_photos', metafile=small_zoo).raw_input.scale == 4
    with pytest.raises(ValueError, match='none_srgan_photos: no official weights are known'):
        get_model('none_srgan_photos', 'official', small_zoo)
    with pytest.raises(ValueError, match='belong to another network: .* missing .* unexpected'):
        get_model('none_srgan_photos', tmp_path / 'a.pth', small_zoo)


def test_writes_and_checks(small_zoo, tmp_path, run):
    arguments = ('--metafile', small_zoo, 'write', '--out', tmp_path / 'zoo.md')
    status, printed = run(*arguments, '--check')
    assert status == 1 and 'is stale' in printed.err and not (tmp_path / 'zoo.md').exists()
    assert run(*arguments)[0] == 0
    assert run(*arguments, '--check')[0] == 0
    text = (tmp_path / 'zoo.md').read_text()
    assert '| none_srgan_photos | photos | Measured | - | 20.50 / 0.5000 / - | - |' in text
    assert '`a.pth`' in text and 'Apache 2.0' in text
    (tmp_path / 'zoo.md').write_text(text + 'edited by hand')
    assert run(*arguments, '--check')[0] == 1
    (small_zoo.parent / 'none_other_photos.py').touch()
    status, printed = run(*arguments)
    assert status == 2 and 'none_other_photos.py is not in metafile.yml' in printed.err


def test_lists_and_shows(small_zoo, run):
    status, printed = run('--metafile', small_zoo, 'list', '--sort', 'params')
    lines = printed.out.splitlines()
    assert status == 0 and lines[0].startswith('model') and lines[1].startswith('none_srgan_photos')
    assert '20.50 / 0.5000 / -' in lines[1] and lines[2].endswith('official')
    status, printed = run('--metafile', small_zoo, 'list', 'gcm_*')
    assert status == 2 and printed.err == 'error: No model fits; 2 are known, see "list" without a filter.\n'
    status, printed = run('--metafile', small_zoo, 'show', 'none_esrgan_photos')
    assert status == 0 and 'convert.py rrdbnet FILE none_esrgan_photos.safetensors' in printed.out
    status, printed = run('--metafile', small_zoo, 'show', 'none_esrgan')
    assert status == 2 and 'Did you mean none_esrgan_photos' in printed.err


def test_says_what_is_wrong_with_a_metafile(small_zoo, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.yml: expected the list of models, found none'):
        read_metafile(tmp_path / 'none.yml')
    content = yaml.safe_load(small_zoo.read_text())
    small_zoo.write_text(yaml.safe_dump({**content, 'Models': content['Models'] * 2}))
    with pytest.raises(
        ValueError, match='listed twice or without a config: none_esrgan_photos, none_srgan_photos'
    ):
        read_metafile(small_zoo)
    small_zoo.write_text(yaml.safe_dump({**content, 'Collections': []}))
    with pytest.raises(ValueError, match=r"no valid metafile \(KeyError: 'B'\)"):
        read_metafile(small_zoo)
    small_zoo.write_text('a: [')
    with pytest.raises(ValueError, match='no valid metafile'):
        read_metafile(small_zoo)


def test_sorting():
    models = [find_model(name) for name in ('none_pynet_zrr', 'gcm_liteisp_zrr', 'none_srresnet_srraw')]
    assert [model.name for model in sort_models(models, 'ms')][:2] == ['gcm_liteisp_zrr', 'none_pynet_zrr']
    assert sort_models(models, 'psnr')[-1].name == 'none_srresnet_srraw'
    with pytest.raises(ValueError, match="sort: 'parameters' is no column. Did you mean params"):
        sort_models(models, 'parameters')
    assert 'none are published' in terminal_page(models[2]) and METAFILE.is_file()
    assert model_zoo_markdown([]).startswith('# Model zoo')
