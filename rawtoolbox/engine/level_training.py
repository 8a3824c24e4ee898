"""Training level by level: a pyramid's coarsest image first, each finer one starting from the last (PyNET)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from rawtoolbox.registry import HOOKS, LOOPS

KEYS = {'level', 'epochs', 'batch_size', 'lr', 'losses'}


@LOOPS.register_module()
class LevelTrainLoop(EpochBasedTrainLoop):
    """Trains a backbone that has a ``level``, one level after the other, in one run.

    At the first epoch of a level the backbone's ``level``, the model's losses, the batch size and the learning
    rate become those of the level, and the optimiser forgets its moments, as if each level were a run of its own
    that starts from the last one's weights. Epochs are counted through. A run resumed within a level goes on
    there with the moments of its checkpoint. Schedules of the learning rate are not combined with this.

    Args:
        runner: The Runner.
        dataloader: Config of the data loader; its batch size is replaced.
        levels: For each level, in the order of training: ``level``, ``epochs``, ``batch_size`` (of a process),
            ``lr`` and ``losses`` (configs by name, as for :class:`rawtoolbox.models.RawRestorer`).
        **kwargs: ``val_begin``, ``val_interval`` and ``dynamic_intervals`` of ``EpochBasedTrainLoop``.

    Raises:
        ValueError: A level lacks something, has something unknown, or the backbone has no levels.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict[str, Any] | DataLoader,
        levels: Sequence[dict[str, Any]],
        **kwargs: Any,
    ) -> None:
        self.model = getattr(runner.model, 'module', runner.model)
        if not levels or not hasattr(self.model.backbone, 'level'):
            name = type(self.model.backbone).__name__
            raise ValueError(
                f'train_cfg.levels: expected levels, and a backbone that has them, found {name}.'
            )
        for index, stage in enumerate(levels):
            self._check(index, stage)
        epochs = [stage['epochs'] for stage in levels]
        super().__init__(runner, {**dataloader, 'batch_size': levels[0]['batch_size']}, sum(epochs), **kwargs)
        self.levels = list(levels)
        self.ends = list(itertools.accumulate(epochs))
        self.current: int | None = None
        self._config = {**dataloader, 'dataset': self.dataloader.dataset}
        self._max_iters = sum(stage['epochs'] * self._count_batches(stage) for stage in levels)

    def run_epoch(self) -> None:
        """One epoch of the level that it belongs to."""
        stage = next(index for index, end in enumerate(self.ends) if self.epoch < end)
        if stage != self.current:
            self.enter(stage)
        super().run_epoch()

    def enter(self, index: int) -> None:
        """Sets everything that belongs to a level; at its first epoch the optimiser starts afresh."""
        stage = self.levels[index]
        self.current = index
        self.model.backbone.level = stage['level']
        self.model.set_losses(stage['losses'])
        self.dataloader = self._build_loader(stage)
        begins = self.epoch == self.ends[index] - stage['epochs']
        set_optimiser(self.runner.optim_wrapper, stage['lr'], forget=begins)
        print_log(
            f'Level {stage["level"]}: epochs {self.epoch + 1} to {self.ends[index]}, batches of '
            f'{stage["batch_size"]}, learning rate {stage["lr"]}',
            logger='current',
        )

    def _check(self, index: int, stage: dict[str, Any]) -> None:
        """Finds what is wrong with a level now rather than days later, by setting it for once."""
        if set(stage) != KEYS:
            wrong = ', '.join(sorted(KEYS.symmetric_difference(stage)))
            raise ValueError(f'train_cfg.levels[{index}]: missing or unknown: {wrong}.')
        self.model.backbone.level = stage['level']
        self.model.set_losses(stage['losses'])

    def _count_batches(self, stage: dict[str, Any]) -> int:
        """Batches of an epoch."""
        pairs, size = len(self.dataloader.sampler), stage['batch_size']
        batches = pairs // size if self._config.get('drop_last') else math.ceil(pairs / size)
        if not batches:
            raise ValueError(
                f'train_cfg.levels: level {stage["level"]} has batches of {size}, more than the {pairs} pairs '
                'of the data set; name a smaller batch_size.'
            )
        return batches

    def _build_loader(self, stage: dict[str, Any]) -> DataLoader:
        config = {**self._config, 'batch_size': stage['batch_size']}
        return self.runner.build_dataloader(config, seed=self.runner.seed)


def set_optimiser(wrapper: OptimWrapper, lr: float, forget: bool) -> None:
    """Sets the learning rate everywhere, and drops the moments if wanted."""
    for each in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
        for group in each.param_groups:
            group['lr'] = lr
        if forget:
            each.optimizer.state.clear()


@HOOKS.register_module()
class LevelHook(Hook):
    """Writes the backbone's level into checkpoints (``meta.level``) and takes it up from those that are loaded.

    So that a checkpoint of any level is tested at that level.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint['meta']['level'] = _backbone(runner).level

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        if 'level' in checkpoint.get('meta', {}):
            _backbone(runner).level = checkpoint['meta']['level']


def _backbone(runner: Runner) -> nn.Module:
    return getattr(runner.model, 'module', runner.model).backbone
