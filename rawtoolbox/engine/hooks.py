"""Hooks: repeatable randomness, progress, pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from tqdm import tqdm

from rawtoolbox.registry import HOOKS


@HOOKS.register_module()
class SeedHook(Hook):
    """Makes a training step's randomness a function of (seed, iteration, rank).

    Crops and flips are drawn on the device from torch's generator. Seeding it at every step means that nothing has
    to be stored to resume bit for bit, wherever in an epoch the run was stopped, and whatever validation drew.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        key = f'{runner.seed}/{runner.iter}/{get_rank()}'
        torch.manual_seed(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) >> 1)


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """A progress bar with the time left, on terminals only; elsewhere the log's lines have it.

    Args:
        refresh: Iterations between two updates of the loss shown: reading it waits for the device.
    """

    def __init__(self, refresh: int = 10) -> None:
        self.refresh = refresh
        self.bar: tqdm | None = None

    def _open(self, what: str, total: int, done: int = 0) -> None:
        self._close()
        disable = None if is_main_process() else True
        self.bar = tqdm(
            desc=what, total=total, initial=done, disable=disable, dynamic_ncols=True, leave=False
        )

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def before_train_epoch(self, runner: Runner) -> None:
        self._open('train', runner.max_iters, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        if self.bar is None or self.bar.disable:
            return
        self.bar.update()
        if outputs and self.every_n_train_iters(runner, self.refresh):
            self.bar.set_postfix(loss=f'{float(outputs["loss"]):.4f}')

    def before_val_epoch(self, runner: Runner) -> None:
        self._open('validate', len(runner.val_dataloader))

    def before_test_epoch(self, runner: Runner) -> None:
        self._open('test', len(runner.test_dataloader))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self.bar is not None:
            self.bar.update()

    after_test_iter = after_val_iter

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._close()

    after_test_epoch = after_val_epoch

    def after_train(self, runner: Runner) -> None:
        self._close()


@HOOKS.register_module()
class VisualizationHook(Hook):
    """Writes a strip of pictures for tested images, as the paper's Figure A.

    Args:
        enable: Whether to write at all; ``tools/test.py --show-dir`` turns it on.
        interval: A strip for every n-th image.
        out_dir: Where to; by default ``strips`` in the work folder.
    """

    def __init__(self, enable: bool = False, interval: int = 1, out_dir: str | None = None) -> None:
        if interval < 1:
            raise ValueError(f'The interval of strips must be at least 1, got {interval}.')
        self.enable = enable
        self.interval = interval
        self.out_dir = out_dir

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: list[dict[str, Any]] | None = None,
    ) -> None:
        if not self.enable or not outputs:
            return
        from rawtoolbox.visualization import write_strip

        folder = Path(self.out_dir or Path(runner.work_dir) / 'strips')
        for index, output in enumerate(outputs):
            if (batch_idx * len(outputs) + index) % self.interval == 0:
                write_strip(folder / f'{output["name"]}.png', output)


@HOOKS.register_module()
class PredictionWriterHook(Hook):
    """Writes every predicted image as an 8-bit PNG.

    Args:
        out_dir: The folder to write to; images keep their names.
    """

    def __init__(self, out_dir: str) -> None:
        self.out_dir = Path(out_dir)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: list[dict[str, Any]] | None = None,
    ) -> None:
        from rawtoolbox.visualization import to_image, write_image

        for output in outputs or []:
            write_image(self.out_dir / f'{output["name"]}.png', to_image(output['pred']))


@HOOKS.register_module()
class BackendHook(Hook):
    """Has the tested network run by a backend, and logs which it was.

    Args:
        backend: See :func:`~rawtoolbox.apis.backends.make_network`.
    """

    def __init__(self, backend: str = 'auto') -> None:
        self.backend = backend

    def before_test(self, runner: Runner) -> None:
        from rawtoolbox.apis.backends import make_network

        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        device = next(model.parameters()).device
        model.backbone = make_network(model.backbone, self.backend, device)

    def after_test(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        choice = getattr(model.backbone, 'choice', None)
        runner.logger.info(f'The network was run by {choice or self.backend}.')
