"""The hook that keeps a run's checkpoints free of pickled objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from rawtoolbox.engine.config import plain_config
from rawtoolbox.registry import HOOKS
from rawtoolbox.weights.checkpoint import (
    ALIGNER,
    BACKBONE,
    TENSORS_HASH,
    check_fits,
    checkpoint_id,
    tensors_hash,
)


def to_plain(value: Any) -> Any:
    """Turns a checkpoint's content into tensors and plain values, which load with ``weights_only=True``."""
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return {
            'history': torch.as_tensor(np.asarray(log, np.float64)),
            'count': torch.as_tensor(np.asarray(count, np.float64)),
            'max_length': value.max_length,
        }
    if isinstance(value, Mapping):
        # a one-cycle schedule stores its own method, which it has anyway when it is built
        return {key: to_plain(item) for key, item in value.items() if not callable(item)}
    if isinstance(value, list | tuple):
        return type(value)(to_plain(item) for item in value) if type(value) in (list, tuple) else list(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value)
    return value


def restore_history(scalars: Mapping[str, Any]) -> dict[str, HistoryBuffer]:
    """The logged scalars of a message hub from what :func:`to_plain` made of them."""
    return {
        name: HistoryBuffer(value['history'].cpu().numpy(), value['count'].cpu().numpy(), value['max_length'])
        for name, value in scalars.items()
    }


def restore_hub(hub: dict[str, Any], work_dir: Path) -> None:
    """Makes what :func:`to_plain` made of a message hub one again, in the folder of the run that loads it.

    mmengine removes the checkpoints that a hub names: they are looked for in that folder, and nowhere else.

    Args:
        hub: What the checkpoint says; changed in place.
        work_dir: The folder of the run that loads it.

    Raises:
        ValueError: It is no message hub, or names something else than checkpoints.
    """
    try:
        hub['log_scalars'] = restore_history(hub['log_scalars'])
        info, hub['resumed_keys'] = hub['runtime_info'], dict(hub.get('resumed_keys', {}))
        for key in [key for key in info if key == 'last_ckpt' or key.startswith('best_ckpt')]:
            name = Path(info[key]).name
            if not name.endswith('.pth'):
                raise ValueError(f'{key} is no checkpoint')
            info[key] = str(work_dir / name)
        if not all(type(number) is int for number in info.get('keep_ckpt_ids', [])):
            raise ValueError('keep_ckpt_ids are no numbers')
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'The checkpoint is damaged: what it says of the run cannot be read ({error}).'
        ) from error


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Keeps checkpoints free of pickled objects, tied to their own folder, and of the right network.

    mmengine stores its message hub (objects) and absolute paths in every checkpoint; both are turned into plain
    values on saving and back on loading, the paths into the folder of the run that loads them, so that resuming
    in a copy of a work folder never touches the original's files.
    """

    priority = 'VERY_HIGH'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint['meta']['model'] = plain_config(runner.cfg.model)
        plain = to_plain(checkpoint)
        checkpoint.clear()
        checkpoint.update(plain)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        model = getattr(runner.model, 'module', runner.model)
        state = {name.removeprefix('module.'): t for name, t in checkpoint['state_dict'].items()}
        check_fits(state, model, BACKBONE if hasattr(model, 'backbone') else '', 'The weights')
        if any(name.startswith(ALIGNER) for name in state):
            check_fits(state, model, ALIGNER, "The aligner's weights")
        if hasattr(model, 'note_loaded'):
            model.note_loaded(
                set(state), checkpoint_id(runner.cfg.load_from) if runner.cfg.get('load_from') else None
            )
        checkpoint['state_dict'] = state
        if checkpoint.get('message_hub'):
            restore_hub(checkpoint['message_hub'], Path(runner.work_dir))


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """mmengine's, except that an old checkpoint goes only after the new one is whole, with a hash of its tensors.

    mmengine deletes first: with one checkpoint kept, a run that is killed while it writes has none left. The hash is
    taken after all other hooks had their say, this one being of the lowest priority.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint['meta'][TENSORS_HASH] = tensors_hash(checkpoint)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        full = self.max_keep_ckpts > 0 and len(self.keep_ckpt_ids) == self.max_keep_ckpts
        outgoing = self.keep_ckpt_ids.popleft() if full and self.keep_ckpt_ids[-1] != step else None
        super()._save_checkpoint_with_step(runner, step, meta)
        if outgoing is not None and is_main_process():
            (Path(self.out_dir) / self.filename_tmpl.format(outgoing)).unlink(missing_ok=True)
