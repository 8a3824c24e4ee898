"""Hooks: repeatable randomness, progress, pictures."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_rank, is_main_process
from mmengine.hooks import Hook, LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from tqdm import tqdm

from rawtoolbox.files.names import inside
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
class DeferredInfoHook(RuntimeInfoHook):
    """mmengine's runtime information, except that losses are read from the device only when somebody looks at them.

    Reading one waits for all work on the device, and mmengine's hook reads each of them in every iteration. Here they
    stay on the device until the logger's turn comes, an epoch ends or a checkpoint is saved; then one transfer brings
    them all, averaged over the processes, of which mmengine logs the first alone. (A gradient's norm is read in every
    step by mmengine's optimiser wrapper: leave out ``clip_grad`` where that matters.)

    Raises:
        ValueError: When losses are read, one is NaN or infinite; the message names it and its iteration.
    """

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self.interval = min(intervals, default=1)
        self.waiting: list[dict[str, Any]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        self.waiting.append(
            {name: torch.as_tensor(value).detach() for name, value in (outputs or {}).items()}
        )
        wanted = self.every_n_inner_iters(batch_idx, self.interval) or self.every_n_train_iters(
            runner, self.interval
        )
        if wanted or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.read(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        self.read(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        if getattr(self, 'waiting', None):
            self.read(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def read(self, runner: Runner) -> None:
        """Hands all losses over that are waiting."""
        values = [value for losses in self.waiting for value in losses.values()]
        if values:
            stacked = torch.stack([value.double() for value in values])
            all_reduce(stacked, 'mean')
            numbers = iter(stacked.tolist())
            first = runner.iter + 1 - len(self.waiting)
            for iteration, losses in enumerate(self.waiting, first):
                for name in losses:
                    number = next(numbers)
                    if not math.isfinite(number):
                        raise ValueError(_diverged(name, number, iteration))
                    runner.message_hub.update_scalar(f'train/{name}', number)
        self.waiting = []


def _diverged(name: str, value: float, iteration: int) -> str:
    return (
        f'{name} is {value} in iteration {iteration}: the training diverged. Go on from the last checkpoint with a '
        'lower learning rate or clip_grad (--resume --cfg-options optim_wrapper.clip_grad.max_norm=1).'
    )


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
                write_strip(inside(folder, f'{output["name"]}.png'), output)


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
        from rawtoolbox.files.images import write_image
        from rawtoolbox.visualization import to_image

        for output in outputs or []:
            write_image(inside(self.out_dir, f'{output["name"]}.png'), to_image(output['pred']))
