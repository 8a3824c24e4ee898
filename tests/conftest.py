"""Shared by all tests; being here puts this folder on the path, so that a test can import golden_tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault('RAWTOOLBOX_OFFLINE', '1')  # no test waits for a download
if 'PYTEST_XDIST_WORKER' in os.environ:  # workers with a thread per core each would wait for one another
    os.environ.setdefault('OMP_NUM_THREADS', '1')
ROOT = Path(__file__).parents[1]
SIDE, NUM_TRAIN, NUM_TEST = 96, 8, 3


@pytest.fixture(scope='session')
def demo_data(tmp_path_factory):
    """A folder of a few small simulated pairs, made once."""
    from rawtoolbox.simulation.cameras import SimulationConfig
    from rawtoolbox.simulation.zrr import simulate_dataset

    root = tmp_path_factory.mktemp('demo') / 'data'
    simulate_dataset(root, SimulationConfig(patch_size=SIDE), NUM_TRAIN, NUM_TEST, progress=False)
    return root


@pytest.fixture(scope='session')
def demo_options(demo_data):
    """Options that turn the demo's config into seconds of work on ``demo_data``."""
    sizes = [('num_train', NUM_TRAIN), ('num_test', NUM_TEST), ('simulation.patch_size', SIDE)]
    return [
        f'data_root={demo_data}',
        *(f'{split}_dataloader.dataset.{k}={v}' for split in ('train', 'val', 'test') for k, v in sizes),
        *(f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')),
        *(f'{split}_dataloader.persistent_workers=False' for split in ('train', 'val', 'test')),
        'model.backbone.width=8',
        'model.aligner.colour_mapper.width=8',
        'model.data_preprocessor.crop_size=64',
        'train_cfg.max_epochs=2',
        'param_scheduler.total_steps=2',
        'default_hooks.checkpoint.interval=1',
    ]


@pytest.fixture
def run_tool():
    """Runs a tool as a user does and returns the finished process."""

    def run(*arguments, cwd=ROOT, check=0, env=None):
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable, **(env or {})}
        command = [sys.executable] if str(arguments[0]).endswith('.py') else []
        done = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, f'{done.stdout[-1500:]}\n{done.stderr[-1500:]}'
        return done

    return run
