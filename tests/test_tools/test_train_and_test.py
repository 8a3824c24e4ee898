"""The main job as a user runs it, small: train, resume, test, publish, and every way to get it wrong."""

import json
import logging
import os
import pickle
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time

import cv2
import pytest
import torch
from conftest import ROOT

from rawtoolbox.aligners import GCM
from rawtoolbox.flow import PWCNet

DEMO = 'configs/gcm_liteisp_demo.py'


@pytest.fixture(scope='module')
def trained(tmp_path_factory, demo_options):
    """A work folder of the demo, trained for two epochs without interruption."""
    work_dir = tmp_path_factory.mktemp('trained') / 'run'
    command = [sys.executable, 'tools/train.py', DEMO, '--work-dir', str(work_dir), '--no-validate']
    subprocess.run(
        [*command, '--cfg-options', *demo_options],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        check=True,
        capture_output=True,
    )
    return work_dir


def load(path):
    return torch.load(path, weights_only=True)


def differences(first, second, where=''):
    """Paths of everything that two nested structures of tensors and plain values differ in."""
    if isinstance(first, dict):
        assert first.keys() == second.keys(), where
        return [d for key in first for d in differences(first[key], second[key], f'{where}/{key}')]
    if isinstance(first, list | tuple):
        assert len(first) == len(second), where
        pairs = enumerate(zip(first, second, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f'{where}/{i}')]
    same = torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
    return [] if same else [where]


def test_checkpoint_holds_tensors_and_plain_values(trained):
    checkpoint = load(trained / 'epoch_2.pth')
    assert {'state_dict', 'optimizer', 'param_schedulers', 'message_hub', 'meta'} <= checkpoint.keys()
    assert any(name.startswith('aligner.colour_mapper') for name in checkpoint['state_dict'])
    assert checkpoint['meta']['epoch'] == 2


def test_nothing_temporary_is_left(trained):
    assert not [path for path in trained.rglob('*') if 'partial' in path.name or 'probe' in path.name]


def test_killed_run_resumes_bit_for_bit(trained, tmp_path, demo_options):
    """Killed after its first checkpoint, then resumed: parameters, optimiser, schedule as if left alone."""
    work_dir = tmp_path / 'run'
    command = [sys.executable, 'tools/train.py', DEMO, '--work-dir', str(work_dir), '--no-validate']
    command += ['--cfg-options', *demo_options]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (work_dir / 'epoch_1.pth').is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (work_dir / 'epoch_2.pth').unlink(missing_ok=True)  # should the run have been faster than the signal
    (work_dir / 'last_checkpoint').unlink(missing_ok=True)

    done = subprocess.run(
        [*command, '--resume'], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'resumed epoch: 1' in done.stdout + done.stderr
    whole, resumed = load(trained / 'epoch_2.pth'), load(work_dir / 'epoch_2.pth')
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert differences(whole[part], resumed[part], part) == []
    assert whole['meta']['iter'] == resumed['meta']['iter']
    losses = [c['message_hub']['log_scalars']['train/loss']['history'] for c in (whole, resumed)]
    assert torch.equal(*losses)


def test_resuming_in_a_copy_never_touches_the_original(trained, tmp_path, run_tool, demo_options):
    original = tmp_path / 'original'
    shutil.copytree(trained, original)
    copy = tmp_path / 'copy'
    shutil.copytree(original, copy)
    before = {p.name: p.stat().st_mtime_ns for p in original.rglob('*') if p.is_file()}
    options = [*demo_options, 'train_cfg.max_epochs=4', 'default_hooks.checkpoint.max_keep_ckpts=1']
    run_tool(
        'tools/train.py', DEMO, '--work-dir', copy, '--resume', '--no-validate', '--cfg-options', *options
    )
    assert {p.name: p.stat().st_mtime_ns for p in original.rglob('*') if p.is_file()} == before
    assert (copy / 'epoch_4.pth').is_file()
    assert str(original) not in (copy / 'last_checkpoint').read_text()


def test_test_scores_three_protocols_and_draws_strips(trained, tmp_path, run_tool, demo_options):
    out, strips = tmp_path / 'scores.json', tmp_path / 'strips'
    done = run_tool(
        *('tools/test.py', DEMO, trained / 'epoch_2.pth', '--work-dir', tmp_path / 'work'),
        *('--out', out, '--show-dir', strips, '--interval', '2', '--cfg-options', *demo_options),
    )
    scores = json.loads(out.read_text())
    for name in ('original/psnr', 'align_raw/psnr', 'align_result/psnr', 'exact/psnr', 'flow/epe_mean'):
        assert name in scores, sorted(scores)
    assert done.stdout.rstrip().endswith(str(strips))
    assert sorted(path.name for path in strips.iterdir()) == ['0.png', '2.png']
    picture = cv2.imread(str(strips / '0.png'))
    assert picture.shape[1] == 6 * 96
    results = json.loads((tmp_path / 'work' / 'test' / 'metrics.json').read_text())
    assert 'epoch_2.pth sha256:' in json.dumps(results)
    assert len((tmp_path / 'work' / 'test' / 'metrics.csv').read_text().strip().splitlines()) == 4


def test_published_backbone_is_tested_alone_and_with_an_aligner(trained, tmp_path, run_tool, demo_options):
    published = tmp_path / 'liteisp.safetensors'
    run_tool('tools/publish.py', DEMO, trained / 'epoch_2.pth', published)
    scores = {}
    for name, arguments in {
        'whole': [trained / 'epoch_2.pth'],
        'alone': [published],
        'helped': [published, '--aligner-checkpoint', trained / 'epoch_2.pth'],
    }.items():
        out = tmp_path / f'{name}.json'
        run_tool(
            *('tools/test.py', DEMO, *arguments, '--work-dir', tmp_path / name, '--out', out),
            *('--backend', 'plain', '--cfg-options', *demo_options, 'test_evaluator.metrics=[psnr]'),
        )
        scores[name] = json.loads(out.read_text())
    assert scores['alone']['original/psnr'] == pytest.approx(scores['whole']['original/psnr'], abs=1e-6)
    assert 'align_raw/psnr' not in scores['alone']
    assert scores['helped']['align_raw/psnr'] == pytest.approx(scores['whole']['align_raw/psnr'], abs=1e-6)


def test_published_colour_mapper_starts_another_run(trained, tmp_path, run_tool):
    published = tmp_path / 'gcm.safetensors'
    run_tool('tools/publish.py', DEMO, trained / 'epoch_2.pth', published, '--part', 'aligner.colour_mapper')
    state = torch.load(trained / 'epoch_2.pth', weights_only=True)['state_dict']
    head = state['aligner.colour_mapper.head.0.weight']
    assert torch.equal(GCM(width=len(head), weights=published).head[0].weight, head)
    record = json.loads(published.with_suffix('.json').read_text())
    assert record['epochs'] == 2
    assert 'FlowAligner' in record['config']


def test_flow_estimator_trains_resumes_and_is_published(tmp_path, run_tool):
    config, work = ROOT / 'configs' / 'flow_pwcnet_pairs.py', tmp_path / 'work'
    small = [
        *('train_dataloader.dataset.size=64', 'train_dataloader.batch_size=1', 'train_cfg.val_interval=2'),
        *('val_dataloader.dataset.size=64', 'val_dataloader.dataset.length=1', 'param_scheduler=None'),
        *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
        *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
        'default_hooks.checkpoint.interval=1',
    ]
    for iterations in (1, 2):
        options = [*small, f'train_cfg.max_iters={iterations}']
        run_tool('tools/train.py', config, '--work-dir', work, '--resume-or-start', '--cfg-options', *options)
    scores = tmp_path / 'scores.json'
    run_tool(
        *('tools/test.py', config, work / 'iter_2.pth', '--work-dir', work, '--out', scores),
        *('--cfg-options', *small),
    )
    assert 0 < json.loads(scores.read_text())['flow/epe_mean'] < 100
    published = tmp_path / 'flow.safetensors'
    run_tool('tools/publish.py', config, work / 'iter_2.pth', published, '--half', '--note', 'a test')
    weight = PWCNet(weights=published).refiner[-1].weight
    trained = torch.load(work / 'iter_2.pth', weights_only=True)['state_dict']
    torch.testing.assert_close(weight, trained['flow_estimator.refiner.6.weight'], rtol=1e-3, atol=1e-6)
    record = json.loads(published.with_suffix('.json').read_text())
    assert (record['note'], record['iterations'], record['seed']) == ('a test', 2, 0)


def test_predictions_in_bfloat16_with_the_ensemble(trained, tmp_path, run_tool, demo_options):
    out = tmp_path / 'pred'
    run_tool(
        *('tools/test.py', DEMO, trained, '--work-dir', tmp_path / 'work', '--amp', '--tta'),
        *(
            '--out',
            out,
            '--out-item',
            'pred',
            '--cfg-options',
            *demo_options,
            'test_evaluator.metrics=[psnr]',
        ),
    )
    assert sorted(path.name for path in out.iterdir()) == ['0.png', '1.png', '2.png']
    assert cv2.imread(str(out / '0.png')).shape == (96, 96, 3)


def test_trains_in_bfloat16(tmp_path, run_tool, demo_options):
    run_tool(
        *('tools/train.py', DEMO, '--work-dir', tmp_path, '--amp', '--no-validate'),
        *('--cfg-options', *demo_options, 'train_cfg.max_epochs=1'),
    )
    weights = load(tmp_path / 'epoch_1.pth')['state_dict']
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()} == {torch.float32}


def test_two_processes_train_and_test(trained, tmp_path, run_tool, demo_options):
    port = str(29000 + os.getpid() % 900)
    run_tool(
        *('tools/dist_train.sh', DEMO, '2', '--work-dir', tmp_path / 'train', '--no-validate'),
        *('--cfg-options', *demo_options, 'train_dataloader.batch_size=2', 'train_cfg.max_epochs=1'),
        env={'PORT': port},
    )
    assert load(tmp_path / 'train' / 'epoch_1.pth')['meta']['iter'] == 2
    out = tmp_path / 'two.json'
    run_tool(
        *(
            'tools/dist_test.sh',
            DEMO,
            trained / 'epoch_2.pth',
            '2',
            '--work-dir',
            tmp_path / 'test',
            '--out',
            out,
        ),
        *('--backend', 'plain', '--cfg-options', *demo_options, 'test_evaluator.metrics=[psnr]'),
        env={'PORT': port},
    )
    alone = tmp_path / 'one.json'
    run_tool(
        *('tools/test.py', DEMO, trained / 'epoch_2.pth', '--work-dir', tmp_path / 'alone', '--out', alone),
        *('--backend', 'plain', '--cfg-options', *demo_options, 'test_evaluator.metrics=[psnr]'),
    )
    two, one = json.loads(out.read_text()), json.loads(alone.read_text())
    assert two['original/psnr'] == pytest.approx(one['original/psnr'], abs=1e-4)
    assert two['flow/epe_mean'] == pytest.approx(one['flow/epe_mean'], abs=1e-4)


def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path, run_tool, demo_options):
    """Crops and flips are drawn per process, and so are left out; all else must not know how many there are."""
    options = [*demo_options, 'train_cfg.max_epochs=1', 'optim_wrapper.optimizer.type=SGD']
    options += ['optim_wrapper.optimizer.lr=0.1', 'param_scheduler.eta_max=0.2']
    options += ['optim_wrapper.clip_grad=None']  # it would hide gradients that are too large by a factor
    options += ['model.data_preprocessor.crop_size=None', 'model.data_preprocessor.augment=None']
    port = {'PORT': str(28000 + os.getpid() % 900)}
    weights, losses = {}, {}
    for name, command, size in (
        ('two', ['tools/dist_train.sh', DEMO, '2'], 2), ('one', ['tools/train.py', DEMO], 4)
    ):  # fmt: skip
        batch = f'train_dataloader.batch_size={size}'
        work_dir = ['--work-dir', tmp_path / name, '--no-validate', '--cfg-options']
        run_tool(*command, *work_dir, *options, batch, env=port)
        checkpoint = load(tmp_path / name / 'epoch_1.pth')
        assert checkpoint['meta']['iter'] == 2
        weights[name] = checkpoint['state_dict']
        losses[name] = checkpoint['message_hub']['log_scalars']['train/loss']['history']
    torch.testing.assert_close(losses['two'], losses['one'], rtol=1e-5, atol=0)
    assert weights['one'].keys() == weights['two'].keys()
    for name, value in weights['one'].items():
        torch.testing.assert_close(weights['two'][name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_zrr_config_trains_twenty_iterations_by_its_data_root_alone(tmp_path, run_tool):
    """The ZRR recipe as it stands, from a simulated folder in ZRR's layout: 448x448, batch and network included."""
    from rawtoolbox.simulation.cameras import SimulationConfig
    from rawtoolbox.simulation.zrr import simulate_dataset

    simulate_dataset(tmp_path / 'zrr', SimulationConfig(), 20, 1, progress=False)
    small = ['model.backbone.width=4', 'model.backbone.n_rcab=1', 'model.aligner.colour_mapper.width=4']
    small.append('model.losses.perceptual=None')  # VGG's weights are not everywhere
    done = run_tool(
        *('tools/train.py', 'configs/gcm_liteisp_zrr.py', '--work-dir', tmp_path / 'run', '--no-validate'),
        *('--cfg-options', f'data_root={tmp_path / "zrr"}', *small, 'train_dataloader.batch_size=1'),
        *('train_cfg.max_epochs=1', 'default_hooks.logger.interval=10'),
    )
    assert load(tmp_path / 'run' / 'epoch_1.pth')['meta']['iter'] == 20
    assert re.search(r'\[20/20\].*loss', done.stdout + done.stderr)


@pytest.fixture
def fails(monkeypatch, capfd):
    """Runs a tool, in this process, that must end with exit status 2 and one line; returns the line."""

    def run(tool, *arguments):
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        # a logger of an earlier run in this process writes to a stream that its test has closed
        monkeypatch.setattr(logging, 'raiseExceptions', False)
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / tool), run_name='__main__')
        assert ended.value.code == 2
        error = capfd.readouterr().err
        assert 'Traceback' not in error
        return error.strip().splitlines()[-1]

    return run


def test_zrr_without_data_says_what_to_get_and_where_to_put_it(tmp_path, fails):
    message = fails(
        'tools/train.py', 'configs/gcm_liteisp_zrr.py', '--work-dir', tmp_path,
        *('--cfg-options', f'data_root={tmp_path / "nowhere"}'),
    )  # fmt: skip
    assert 'nowhere' in message
    assert 'huawei_raw' in message
    assert 'https://' in message
    assert 'simulate.py' in message


def test_misspelt_key_of_the_command_line(tmp_path, fails):
    message = fails('tools/train.py', DEMO, '--cfg-options', 'trian_cfg.max_epochs=3')
    assert 'train_cfg' in message


def test_misspelt_type(tmp_path, fails, demo_options):
    message = fails(
        'tools/train.py', DEMO, '--work-dir', tmp_path,
        *('--cfg-options', *demo_options, 'model.aligner.flow_estimator.type=DISFlw'),
    )  # fmt: skip
    assert 'Did you mean DISFlow' in message


def test_missing_config(fails):
    assert 'gcm_liteisp_demo.py' in fails('tools/train.py', 'configs/gcm_liteisp_dmo.py')


def test_unwritable_work_folder(tmp_path, fails):
    (tmp_path / 'file').write_text('')
    message = fails('tools/train.py', DEMO, '--work-dir', tmp_path / 'file' / 'run')
    assert 'cannot be written to' in message
    assert '--work-dir' in message


def test_missing_checkpoint(tmp_path, fails):
    assert 'No checkpoint' in fails('tools/test.py', DEMO, tmp_path / 'no.pth', '--work-dir', tmp_path)


def test_checkpoint_of_another_network(trained, tmp_path, fails, demo_options):
    message = fails(
        'tools/test.py', DEMO, trained / 'epoch_2.pth', '--work-dir', tmp_path,
        *('--cfg-options', *demo_options, 'model.backbone.n_rcab=3'),
    )  # fmt: skip
    assert 'belong to another network' in message
    assert 'missing' in message


def test_damaged_checkpoint(trained, tmp_path, fails):
    cut = tmp_path / 'cut.pth'
    cut.write_bytes((trained / 'epoch_2.pth').read_bytes()[:5000])
    message = fails('tools/test.py', DEMO, cut, '--work-dir', tmp_path)
    assert 'cut.pth' in message
    assert 'damaged' in message or 'refused' in message


class Bomb:
    def __reduce__(self):
        return os.system, ('touch exploded',)


def test_pickle_that_would_run_code_is_refused(tmp_path, fails):
    (tmp_path / 'bomb.pth').write_bytes(pickle.dumps({'state_dict': Bomb()}, protocol=2))
    torch.save({'state_dict': {}, 'extra': Bomb()}, tmp_path / 'bomb2.pth')
    for name in ('bomb.pth', 'bomb2.pth'):
        message = fails('tools/test.py', DEMO, tmp_path / name, '--work-dir', tmp_path)
        assert 'refused' in message
    assert not (ROOT / 'exploded').exists()
    assert not (tmp_path / 'exploded').exists()


def test_publishing_something_else(tmp_path, fails):
    torch.save({'state_dict': {'x': torch.zeros(1)}}, tmp_path / 'other.pth')
    message = fails('tools/publish.py', DEMO, tmp_path / 'other.pth', tmp_path / 'out.safetensors')
    assert 'no weights named backbone.*' in message
    assert not (tmp_path / 'out.safetensors').exists()


def test_torchrun_is_named_when_the_launcher_is_used_without_it(tmp_path, fails):
    message = fails('tools/train.py', DEMO, '--work-dir', tmp_path, '--launcher', 'pytorch')
    assert 'dist_train.sh' in message


@pytest.mark.parametrize('tool', ['train.py', 'test.py', 'publish.py', 'prepare_data/simulate.py'])
def test_help_explains(tool, run_tool):
    done = run_tool(f'tools/{tool}', '--help')
    assert 'usage:' in done.stdout
    assert len(done.stdout) > 300
