"""Losses are read late, and are the same."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.logging import MessageHub
from torch.utils.data import DataLoader

from rawtoolbox.engine import DeferredInfoHook


def runner(name, interval=4, length=10):
    hub = MessageHub.get_instance(f'deferred-{name}')
    dataset = list(range(length))
    return SimpleNamespace(
        message_hub=hub, hooks=[LoggerHook(interval=interval)], iter=0, epoch=0, max_epochs=1, max_iters=length,
        train_dataloader=DataLoader(dataset), seed=0,
    )  # fmt: skip


def losses(iteration):
    return {'loss': torch.tensor(1 / (iteration + 3)), 'loss_l1': torch.tensor(0.1 * iteration)}


def train(hook, run, length=10, outputs=losses):
    """Runs the hook as a training loop does; returns how many losses the hub knew after each iteration."""
    known = []
    hook.before_train(run)
    for run.iter in range(length):
        hook.after_train_iter(run, run.iter, outputs=outputs(run.iter))
        known.append(
            len(run.message_hub.log_scalars['train/loss'].data[0]) if run.message_hub.log_scalars else 0
        )
    hook.after_train_epoch(run)
    return known


def history(run, name):
    return run.message_hub.log_scalars[f'train/{name}'].data[0].tolist()


def test_losses_are_read_when_the_logger_and_the_epochs_end_need_them():
    late, prompt = runner('late'), runner('prompt')
    assert train(DeferredInfoHook(), late) == [0, 0, 0, 4, 4, 4, 4, 8, 8, 10]
    assert train(RuntimeInfoHook(), prompt) == list(range(1, 11))
    for name in ('loss', 'loss_l1'):
        assert history(late, name) == history(prompt, name)


def test_a_checkpoint_in_between_holds_all_losses():
    run, hook = runner('checkpoint'), DeferredInfoHook()
    train(hook, run, length=6)
    hook.waiting = [losses(6)]
    checkpoint = {'message_hub': run.message_hub.state_dict()}
    hook.before_save_checkpoint(run, checkpoint)
    assert len(checkpoint['message_hub']['log_scalars']['train/loss'].data[0]) == 7


def test_a_diverged_training_is_named_with_its_iteration():
    run = runner('diverged')

    def diverging(iteration):
        return losses(iteration) | ({'loss_l1': torch.tensor(float('nan'))} if iteration == 2 else {})

    with pytest.raises(ValueError, match='loss_l1 is nan in iteration 2: the training diverged'):
        train(DeferredInfoHook(), run, outputs=diverging)
