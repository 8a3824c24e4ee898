"""SECURITY.md line by line: nothing that a file says may choose what is called, imported, read or written."""

import json
import re
import runpy
import sys

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.engine.launch import set_resume
from rawtoolbox.files.names import inside
from rawtoolbox.inference.trained import load_trained
from rawtoolbox.weights.carried import build_carried, load_aligner
from rawtoolbox.weights.checkpoint import BACKBONE, load_local

DEMO = str(ROOT / 'configs' / 'gcm_liteisp_demo.py')
SMALL = {'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1}


def evil_configs(folder):
    """Configs of a backbone that must not be built; every payload would make a file named PWNED."""
    mark, touch = str(folder / 'PWNED'), ['touch', str(folder / 'PWNED')]
    payload = folder / 'payload.py'
    payload.write_text(f'open({mark!r}, "w")\n')
    calls = {
        'os.system': {'command': f'touch {mark}'},
        'os.popen': {'cmd': f'touch {mark}'},
        'posix.system': {'command': f'touch {mark}'},
        'os.mkdir': {'path': mark},
        'os.rename': {'src': str(payload), 'dst': mark},
        'subprocess.Popen': {'args': touch},
        'subprocess.run': {'args': touch},
        'subprocess.check_output': {'args': touch},
        'runpy.run_path': {'path_name': str(payload)},
        'builtins.open': {'file': mark, 'mode': 'w'},
        'builtins.exec': {'source': payload.read_text()},
        'builtins.eval': {'source': f'open({mark!r}, "w")'},
        'io.open': {'file': mark, 'mode': 'w'},
        'pathlib.Path': {'args': [mark]},
        'shutil.copy': {'src': str(payload), 'dst': mark},
        'shutil.copytree': {'src': str(folder), 'dst': mark},
        'torch.load': {'f': mark, 'weights_only': False},
        'torch.save': {'obj': 1, 'f': mark},
        'torch.hub.load': {'repo_or_dir': str(folder), 'model': 'x', 'source': 'local'},
        'numpy.save': {'file': mark, 'arr': 1},
        'importlib.import_module': {'name': 'payload'},
        'urllib.request.urlretrieve': {'url': f'file://{payload}', 'filename': mark},
        'mmengine.Config.fromfile': {'filename': str(payload)},
        'mmengine.fileio.dump': {'obj': 1, 'file': f'{mark}.json'},
        'rawtoolbox.files.atomic.write_atomically': {'path': mark, 'content': 'x'},
        'rawtoolbox.engine.config.load_config': {'path': str(payload)},
        'rawtoolbox.weights.checkpoint.publish': {'checkpoint': mark, 'out': mark},
        'antigravity.x': {},
        '__main__.x': {},
        'RawRestorer': {'backbone': SMALL},
        'GCM': {},
        'L1Loss': {},
        'Sequential': {},
        'mmengine.LiteISPNet': {},
    }
    configs = {f'call {name}': {'type': name, **arguments} for name, arguments in calls.items()}
    nested = {'type': 'os.system', 'command': f'touch {mark}'}
    return configs | {
        'nested call': {**SMALL, 'width': nested},
        'call in a list': {**SMALL, 'width': [nested]},
        'imports': {**SMALL, 'custom_imports': {'imports': 'payload'}},
        'unknown argument': {**SMALL, 'out_dir': mark},
        'no type': {'width': 8},
        'type a list': {'type': ['LiteISPNet']},
        'type a dict': {'type': nested},
        'a list': [SMALL],
        'a text': 'LiteISPNet',
        'huge width': {**SMALL, 'width': 100_000},
        'wide but below the limit': {**SMALL, 'width': 256, 'n_rcab': 32},
        'endless blocks': {**SMALL, 'n_rcab': 10**30},
        'negative width': {**SMALL, 'width': -8},
        'width of nothing': {**SMALL, 'width': 0},
        'width a text': {**SMALL, 'width': 'eight'},
        'infinite gamma': {**SMALL, 'gamma': float('inf')},
        'long list': {'type': 'AWNetRaw', 'width': 16, 'blocks': [1] * 10_000},
        'deep list': {**SMALL, 'width': [[[[[[[8]]]]]]]},
        'address': {'type': 'TimmUNet', 'encoder': 'hf_hub:evil/evil', 'pretrained': True},
        'local folder': {'type': 'TimmUNet', 'encoder': f'local-dir:{folder}'},
        'other network': {'type': 'PyNET', 'level': 3, 'width': 4},
    }


WEIGHTS = {name: tensor.contiguous() for name, tensor in LiteISPNet(width=8, n_rcab=1).state_dict().items()}


def write_published(path, config, **extra):
    save_file(WEIGHTS, path, {key: json.dumps(value) for key, value in {'config': config, **extra}.items()})
    return path


def write_run(path, model, **meta):
    state = {BACKBONE + name: tensor for name, tensor in WEIGHTS.items()}
    torch.save({'state_dict': state, 'meta': {'model': model, **meta}}, path)
    return path


def untouched(folder):
    return not list(folder.rglob('PWNED*'))


def test_enough_variants(tmp_path):
    assert len(evil_configs(tmp_path)) >= 40


def test_what_a_published_checkpoint_says_is_never_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, config in evil_configs(tmp_path).items():
        with pytest.raises(ValueError) as error:
            load_trained(write_published(tmp_path / 'evil.safetensors', config))
        assert '\n' not in str(error.value), name
        assert untouched(tmp_path), name
    assert 'payload' not in sys.modules and 'antigravity' not in sys.modules


def test_what_a_runs_checkpoint_says_is_never_called(tmp_path):
    for name, config in evil_configs(tmp_path).items():
        path = write_run(tmp_path / 'evil.pth', {'backbone': config, 'aligner': config})
        with pytest.raises(ValueError):
            load_trained(path)
        with pytest.raises(ValueError):
            load_aligner(path)
        assert untouched(tmp_path), name


@pytest.mark.parametrize(
    'model', [None, [], 'text', {'backbone': None}, {'backbone': SMALL, 'data_preprocessor': [1]}]
)
def test_odd_descriptions_are_refused(tmp_path, model):
    with pytest.raises(ValueError):
        load_trained(write_run(tmp_path / 'odd.pth', model))


@pytest.mark.parametrize(
    'extra',
    [
        {'preprocessor': {'white_level': 'inf'}},
        {'preprocessor': {'black_level': [1, 2], 'white_level': 3}},
        {'preprocessor': {'black_level': 5, 'white_level': 4}},
        {'preprocessor': {'crop_size': 10**9}},
        {'camera': {'xyz_to_camera': [[1]], 'gains': [1, 1, 1]}},
        {'camera': {'xyz_to_camera': np.eye(3).tolist(), 'gains': ['a', 1, 1]}},
        {'camera': 'canon'},
    ],
)
def test_levels_and_cameras_of_a_file_are_checked(tmp_path, extra):
    with pytest.raises(ValueError):
        load_trained(write_published(tmp_path / 'odd.safetensors', SMALL, **extra))


def test_own_names_and_good_files_load(tmp_path):
    full = 'rawtoolbox.backbones.liteispnet.LiteISPNet'
    for config in (
        SMALL,
        {**SMALL, 'type': full},
        {**SMALL, 'init_cfg': {'type': 'Pretrained', 'checkpoint': 'x'}},
    ):
        network = load_trained(write_published(tmp_path / 'good.safetensors', config)).network
        assert network.state_dict().keys() == WEIGHTS.keys()
        assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in network.state_dict().items())


def test_nothing_is_fetched_or_read_on_a_files_word(tmp_path):
    aligner = {
        'type': 'FlowAligner',
        'flow_estimator': {'type': 'PWCNet', 'weights': str(tmp_path / 'x.pth')},
    }
    with pytest.raises(ValueError, match="no file is read on another file's word"):
        load_aligner(write_run(tmp_path / 'run.pth', {'aligner': aligner}))


def test_plugin_needs_the_users_word(tmp_path, monkeypatch):
    (tmp_path / 'my_part.py').write_text(
        'from rawtoolbox.backbones import LiteISPNet\nfrom rawtoolbox.registry import BACKBONES\n'
        '@BACKBONES.register_module()\nclass MyOwnNet(LiteISPNet):\n    pass\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {**SMALL, 'type': 'MyOwnNet'}
    with pytest.raises(ValueError, match='--import'):
        build_carried(config, 'backbone', WEIGHTS, 'file')
    assert 'my_part' not in sys.modules
    __import__('my_part')
    assert type(build_carried(config, 'backbone', WEIGHTS, 'file')).__name__ == 'MyOwnNet'


def test_every_scheme_of_mmengine_is_refused():
    patterns = [prefix for prefix in CheckpointLoader._schemes if prefix]
    assert patterns
    for pattern in patterns:
        address = re.sub(r'\(.*?\)\?', '', pattern) + 'host/x.pth'
        with pytest.raises(ValueError, match='local file only'):
            CheckpointLoader.load_checkpoint(address, 'cpu')


def test_text_in_a_resumed_checkpoint_is_not_evaluated(tmp_path):
    text = f'import os\nos.system("touch {tmp_path / "PWNED"}")\n'
    path = write_run(tmp_path / 'resume.pth', {'backbone': SMALL}, config=text, epoch=0, iter=0)
    assert 'config' not in load_local(path)['meta']


def test_resuming_needs_a_run(tmp_path):
    config = type('Config', (), {'work_dir': str(tmp_path)})()
    with pytest.raises(ValueError, match='weights alone'):
        set_resume(config, str(write_published(tmp_path / 'weights.safetensors', SMALL)))


@pytest.mark.parametrize(
    'content', [{'state_dict': {'a': 1}}, {'state_dict': [1]}, {'state_dict': {}, 'meta': [1]}]
)
def test_what_is_no_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match='no checkpoint'):
        load_local(tmp_path / 'odd.pth')


@pytest.mark.parametrize('name', ['../x', '/etc/x', 'a/../../x', '..', 'C:\\x', '..\\x', 'a\0b', '.'])
def test_names_stay_in_their_folder(tmp_path, name):
    with pytest.raises(ValueError, match='leads out'):
        inside(tmp_path, name)


def test_usual_names_are_taken(tmp_path):
    for name in ('12.png', 'scene/left.png', 'ünï cödé.png', 'a..b.png'):
        assert inside(tmp_path, name).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    'change',
    [{'multiple': 10**9}, {'scale': 1e9}, {'layout': 'odd'}, {'order': ['R']}, {'clip': 'yes'}, {'extra': 1}],
)
def test_what_an_exported_file_says_it_takes_is_checked(change):
    values = {'layout': 'packed', 'order': ['B', 'Gr', 'R', 'Gb'], 'multiple': 1, 'scale': 2}
    assert RawInput.from_plain(values, 'x.onnx') == RawInput()
    with pytest.raises(ValueError, match=r'x\.onnx'):
        RawInput.from_plain({**values, **change}, 'x.onnx')


def commands(file, folder, options=()):
    """How each tool that takes a checkpoint is called with a file."""
    raw = folder / 'raw.png'
    levels = ['--cfa', 'RGGB', '--black-level', '63', '--white-level', '1020']
    return {
        'infer.py': [raw, '-o', folder / 'out.png', '--checkpoint', file, *levels],
        'export.py': [file, '-o', folder / 'out.onnx'],
        'test.py': [DEMO, file, '--aligner-checkpoint', file, '--work-dir', folder / 'test', *options],
        'publish.py': [DEMO, file, folder / 'out.safetensors'],
        'benchmark_alignment.py': ['--checkpoint', file, '--out', folder / 'alignment'],
        'gcm_illumination.py': [file, '--out', folder / 'out.png'],
        'benchmark.py': ['inference', '--checkpoint', file],
        'train.py': [DEMO, '--resume', file, '--work-dir', folder / 'train'],
        'convert_weights/convert.py': ['liteispnet', file, folder / 'converted.safetensors'],
    }


def test_every_tool_that_takes_a_checkpoint_is_listed(tmp_path):
    word = re.compile(r'checkpoint|--resume|official file', re.IGNORECASE)
    tools = {
        str(path.relative_to(ROOT / 'tools'))
        for path in (ROOT / 'tools').rglob('*.py')
        if word.search(path.read_text(encoding='utf-8'))
    }
    assert (
        tools - {'verify_dataset.py', 'model_zoo.py', 'prepare_data/pack.py'}
        <= commands('x', tmp_path).keys()
    )


@pytest.mark.parametrize('tool', sorted(commands('x', ROOT)))
def test_tools_refuse_evil_files_in_one_line(tmp_path, tool, monkeypatch, capfd, demo_options):
    cv2.imwrite(str(tmp_path / 'raw.png'), np.full((64, 64), 500, np.uint16))
    evil = evil_configs(tmp_path)
    call = {'type': 'os.system', 'command': f'touch {tmp_path / "PWNED"}'}
    text = f'import os\nos.system("touch {tmp_path / "PWNED"}")\n'
    files = [
        write_published(tmp_path / 'call.safetensors', call),
        write_published(tmp_path / 'nested.safetensors', evil['nested call']),
        write_run(tmp_path / 'run.pth', {'backbone': call, 'aligner': call}, config=text, epoch=0, iter=0),
    ]
    monkeypatch.setattr(sys, 'path', list(sys.path))
    for file in files:
        arguments = [
            str(argument) for argument in commands(file, tmp_path, ('--cfg-options', *demo_options))[tool]
        ]
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as status:
            runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
        assert untouched(tmp_path), file
        if (
            tool != 'test.py' and status.value.code != 0
        ):  # test.py takes the weights alone, by the user's config
            assert status.value.code == 2, file
            errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith('error: ')]
            assert len(errors) == 1, file
