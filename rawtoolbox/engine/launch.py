"""From a config and a command line to a Runner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.runner import Runner

from rawtoolbox.files.atomic import check_writable
from rawtoolbox.weights.carried import load_aligner
from rawtoolbox.weights.checkpoint import latest_checkpoint, load_local


def set_work_dir(config: Config, work_dir: str | None) -> None:
    """Settles the work folder: the command line's, the config's, or ``work_dirs/<config's name>``.

    Raises:
        OSError: It cannot be written to.
    """
    config.work_dir = (
        work_dir or config.get('work_dir') or str(Path('work_dirs') / Path(config.filename).stem)
    )
    check_writable(config.work_dir)


def set_resume(config: Config, resume: str | None, or_start: bool = False) -> None:
    """Settles what to resume from.

    Args:
        config: The config, with its work folder settled.
        resume: None for a fresh start, ``'auto'`` for the newest whole checkpoint in the work folder, or a file.
        or_start: Whether to start afresh where ``'auto'`` finds none.

    Raises:
        FileNotFoundError: The file does not exist, or there is nothing to resume.
        ValueError: It is no checkpoint of a run.
    """
    if resume is None:
        return
    checkpoint = latest_checkpoint(config.work_dir) if resume == 'auto' else Path(resume)
    if checkpoint is None:
        if or_start:
            return
        raise FileNotFoundError(
            f'Nothing to resume in {config.work_dir}: it has no whole checkpoint. Name the right folder by '
            '--work-dir, leave --resume out, or say --resume-or-start.'
        )
    if not checkpoint.is_file():
        raise FileNotFoundError(f'No checkpoint {checkpoint} to resume from.')
    loaded = load_local(str(checkpoint), 'cpu')
    come = [loaded['meta'].get(key) for key in ('epoch', 'iter')]
    if not {'optimizer', 'message_hub'} <= loaded.keys() or not all(type(n) is int and n >= 0 for n in come):
        raise ValueError(
            f'{checkpoint} holds weights alone, which no run can be resumed from: start from them by '
            '--cfg-options load_from=FILE.'
        )
    config.resume = True
    config.load_from = str(checkpoint)


def set_autocast(config: Config) -> None:
    """Turns on bfloat16 in training, validation and test (``--amp``), for one optimiser or several."""
    wrapper = config.optim_wrapper
    wrappers = [wrapper] if 'optimizer' in wrapper else [w for w in wrapper.values() if isinstance(w, dict)]
    for each in wrappers:
        each['type'] = 'AutocastOptimWrapper'
    for name in ('val_cfg', 'test_cfg'):
        if config.get(name):
            config[name]['fp16'] = True  # mmengine's word for autocast; bfloat16 on a CPU


def without_validation(config: Config) -> None:
    """Drops validation (``--no-validate``)."""
    config.val_cfg = config.val_dataloader = config.val_evaluator = None


@contextmanager
def distributed(config: Config, launcher: str) -> Iterator[None]:
    """Joins the processes that ``torchrun`` started: NCCL on GPUs, gloo on CPUs.

    mmengine's own set-up asks for CUDA; without it the process group is made here and DDP told of no devices.

    Args:
        config: The config; its launcher is set.
        launcher: ``'none'``, or ``'pytorch'`` under torchrun.

    Raises:
        ValueError: The launcher is ``'pytorch'`` but torchrun did not start this process.
    """
    config.launcher = launcher
    if launcher == 'none':
        yield
        return
    if 'RANK' not in os.environ:
        raise ValueError(
            '--launcher pytorch needs torchrun: start it by tools/dist_train.sh CONFIG PROCESSES.'
        )
    if not torch.cuda.is_available():
        dist.init_process_group('gloo')
        wrapper = {'type': 'MMDistributedDataParallel', 'device_ids': None, 'broadcast_buffers': False}
        config.model_wrapper_cfg = {
            **wrapper,
            'find_unused_parameters': config.get('find_unused_parameters', False),
        }
    try:
        yield
    finally:
        if dist.is_initialized():  # left open, a process may die of it after all its work is done
            dist.destroy_process_group()


def build_runner(config: Config) -> Runner:
    """The Runner of a completed config."""
    torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ.get('LOCAL_WORLD_SIZE', 1))))
    return Runner.from_cfg(config)


def set_test(config: Config, checkpoint: str, aligner_checkpoint: str | None) -> None:
    """Settles what is tested, what aligns, and where the results go.

    Args:
        config: The config, with its work folder settled.
        checkpoint: A training run's checkpoint, its work folder (the newest in it) or a published backbone.
        aligner_checkpoint: A training run's checkpoint whose aligner serves *Align GT with raw*; None for the
            tested checkpoint's own, if it has one.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: The checkpoint is damaged or refused.
    """
    if Path(checkpoint).is_dir():
        checkpoint = str(latest_checkpoint(checkpoint) or Path(checkpoint) / 'epoch_*.pth')
    load_local(checkpoint, 'cpu')  # a wrong file is refused before data are made or networks built
    config.load_from = checkpoint
    config.resume = False
    if aligner_checkpoint:
        load_aligner(aligner_checkpoint)  # likewise
        config.model.aligner_checkpoint = aligner_checkpoint
    for evaluator in _listed(config.test_evaluator):
        if evaluator.get('out_dir', '') is None:
            evaluator.out_dir = str(Path(config.work_dir) / 'test')


def add_prediction_writer(config: Config, folder: str) -> None:
    """Has every predicted image written as an 8-bit PNG (``--out-item pred``)."""
    config.custom_hooks = [
        *(config.get('custom_hooks') or []),
        {'type': 'PredictionWriterHook', 'out_dir': folder},
    ]


def set_backend(config: Config, backend: str) -> None:
    """Has the tested backbone run by a backend of `apis.backends` (``--backend``); a flow estimator has none."""
    if backend != 'plain' and 'backbone' in config.model:
        hook = {'type': 'BackendHook', 'backend': backend}
        config.custom_hooks = [*(config.get('custom_hooks') or []), hook]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
