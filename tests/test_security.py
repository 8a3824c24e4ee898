"""SECURITY.md line by line: nothing that a file says may choose what is called, imported, read or written."""

import argparse
import json
import re
import runpy
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.runner import CheckpointLoader
from recipes import narrow, start
from safetensors.torch import save_file

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.engine.hooks import PredictionWriterHook, VisualizationHook
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


@pytest.mark.parametrize('name', ['../PWNED', '/PWNED', 'a/../../PWNED'])
def test_pictures_stay_in_their_folder_whatever_a_pack_calls_them(tmp_path, name):
    name = f'{tmp_path}{name}' if name.startswith('/') else name
    output = [{'name': name, 'pred': torch.zeros(3, 8, 8)}]
    runner = SimpleNamespace(work_dir=str(tmp_path / 'work'))
    folder = str(tmp_path / 'out')
    for hook in (
        PredictionWriterHook(folder),
        VisualizationHook(True, out_dir=folder),
        VisualizationHook(True),
    ):
        with pytest.raises(ValueError, match='leads out'):
            hook.after_test_iter(runner, 0, outputs=output)
    assert untouched(tmp_path)


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


def tool_parser(tool):
    """The parser of a tool, taken from it before it parses."""
    parsers = []

    def stop(parser, *_, **__):
        parsers.append(parser)
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, 'parse_args', stop)
        patch.setattr(sys, 'argv', [str(tool)])
        patch.setattr(sys, 'path', list(sys.path))
        with pytest.raises(SystemExit):
            runpy.run_path(str(tool), run_name='__main__')
    return parsers[0]


def arguments_of(parser, command=''):
    """All arguments of a parser and of its subcommands: (subcommand, argument)."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from arguments_of(child, name)
        else:
            yield command, action


def commands_with_checkpoints():
    """Tools and subcommands that are given a checkpoint or weights, and whether they have ``--import``."""
    found = {}
    for tool in sorted((ROOT / 'tools').rglob('*.py')):
        arguments = list(arguments_of(tool_parser(tool)))
        for command, action in arguments:
            text = f'{action.dest} {action.metavar} {action.help}'
            taken = re.search(r'checkpoint|\.pth|weights|official file|resume', text)
            if taken and action.dest not in ('imports', 'out', 'config', 'work_dir', 'exported', 'forms'):
                name = f'{tool.relative_to(ROOT / "tools")} {command}'.strip()
                found[name] = any(one.dest == 'imports' for where, one in arguments if where == command)
    return found


def commands(file, folder, options=()):
    """How each tool that takes a checkpoint is called with a file."""
    raw = folder / 'raw.png'
    levels = ['--cfa', 'RGGB', '--black-level', '63', '--white-level', '1020']
    test = [DEMO, folder / 'good.safetensors', '--work-dir', folder / 'test', '--aligner-checkpoint', file]
    return {
        'infer.py': [raw, '-o', folder / 'out.png', '--checkpoint', file, *levels],
        'export.py': [file, '-o', folder / 'out.onnx'],
        'test.py': [*test, *options],
        'publish.py': [DEMO, file, folder / 'out.safetensors'],
        'benchmark_alignment.py': ['--checkpoint', file, '--out', folder / 'alignment'],
        'gcm_illumination.py': [file, '--out', folder / 'out.png'],
        'benchmark.py inference': ['--checkpoint', file],
        'benchmark.py fullres': ['--checkpoint', file],
        'train.py': [DEMO, '--resume', file, '--work-dir', folder / 'train'],
        'convert_weights/convert.py': ['liteispnet', file, folder / 'converted.safetensors'],
    }


# These take tensors alone, and the user's own config: what the file says of itself is not looked at.
TENSORS_ALONE = ('publish.py', 'convert_weights/convert.py')
OWN_CONFIG = ('publish.py', 'train.py', 'test.py')  # whose custom_imports may name plugins


def test_every_tool_that_takes_a_checkpoint_is_tested(tmp_path):
    found = commands_with_checkpoints()
    assert found.keys() == commands('x', tmp_path).keys()
    without = {name for name, imports in found.items() if not imports}
    assert without <= {*OWN_CONFIG, 'convert_weights/convert.py'}


def run_tool_here(name, arguments, monkeypatch, capfd):
    """Runs a tool in this process: its exit status and its lines of errors."""
    tool, _, command = name.partition(' ')
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(sys, 'argv', [tool, *[command] * bool(command), *map(str, arguments)])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
    errors = capfd.readouterr().err
    assert 'Traceback' not in errors
    return ended.value.code, [line for line in errors.splitlines() if line.startswith('error: ')]


@pytest.mark.parametrize('tool', sorted(commands('x', ROOT)))
def test_tools_refuse_every_evil_file_in_one_line(tmp_path, tool, monkeypatch, capfd, demo_options):
    cv2.imwrite(str(tmp_path / 'raw.png'), np.full((64, 64), 500, np.uint16))
    write_published(tmp_path / 'good.safetensors', SMALL)
    text = f'import os\nos.system("touch {tmp_path / "PWNED"}")\n'
    evil = evil_configs(tmp_path)
    for name, config in list(evil.items())[:: 10 if tool in TENSORS_ALONE else 1]:
        for file in (
            write_published(tmp_path / 'evil.safetensors', config, epoch=0, iter=0),
            write_run(
                tmp_path / 'evil.pth', {'backbone': config, 'aligner': config}, config=text, epoch=0, iter=0
            ),
        ):
            arguments = commands(file, tmp_path, ('--cfg-options', *demo_options))[tool]
            status, errors = run_tool_here(tool, arguments, monkeypatch, capfd)
            assert untouched(tmp_path), name
            if tool not in TENSORS_ALONE:
                assert (status, len(errors)) == (2, 1), name


def test_resuming_evaluates_nothing(tmp_path, demo_data):
    """Text where mmengine's Runner looks for a config, in a run's checkpoint and in a published file."""
    text = f'open({str(tmp_path / "PWNED")!r}, "w")\n'
    start(narrow('gcm_liteisp_demo', demo_data), tmp_path / 'run')
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
    checkpoint['meta']['config'] = text
    torch.save(checkpoint, tmp_path / 'evil.pth')
    config = narrow('gcm_liteisp_demo', demo_data)
    config.train_cfg.max_epochs = 2
    assert start(config, tmp_path / 'resumed', tmp_path / 'evil.pth').epoch == 2
    state = {name.removeprefix(BACKBONE): value for name, value in checkpoint['state_dict'].items()}
    extra = {'config': json.dumps(text), 'epoch': '0', 'iter': '0', 'message_hub': '{}'}
    save_file(state, tmp_path / 'evil.safetensors', extra)
    config = narrow('gcm_liteisp_demo', demo_data)
    config.update(resume=True, load_from=str(tmp_path / 'evil.safetensors'))
    with pytest.raises((ValueError, KeyError)):
        start(config, tmp_path / 'published')
    assert untouched(tmp_path)
