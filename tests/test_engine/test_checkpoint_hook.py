"""Checkpoints while they are written, by a run of a linear model; and what one may say of files."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from rawtoolbox.engine import WholeCheckpointHook
from rawtoolbox.engine.checkpoint_hook import restore_hub
from rawtoolbox.engine.launch import set_resume
from rawtoolbox.weights.checkpoint import TENSORS_HASH, tensors_hash

LOSS = {'loss': {'history': torch.ones(1), 'count': torch.ones(1), 'max_length': 9}}


def hub(**info):
    return {'log_scalars': dict(LOSS), 'runtime_info': info}


def test_checkpoints_are_looked_for_in_the_runs_own_folder(tmp_path):
    found = hub(
        best_ckpt='/other/best_psnr_epoch_2.pth', last_ckpt='/other/epoch_3.pth', keep_ckpt_ids=[2, 3]
    )
    restore_hub(found, tmp_path)
    assert found['runtime_info'] == {
        'best_ckpt': str(tmp_path / 'best_psnr_epoch_2.pth'),
        'last_ckpt': str(tmp_path / 'epoch_3.pth'),
        'keep_ckpt_ids': [2, 3],
    }
    assert found['log_scalars']['loss'].mean() == 1


@pytest.mark.parametrize(
    'info',
    [
        {'best_ckpt': 'x/..'},  # mmengine would remove the folder above the work folder
        {'best_ckpt_psnr': '.'},
        {'best_ckpt': 'config.py'},
        {'last_ckpt': 5},
        {'keep_ckpt_ids': ['/../victim']},
        {'keep_ckpt_ids': 5},
    ],
)
def test_what_names_other_files_is_refused(tmp_path, info):
    with pytest.raises(ValueError, match='The checkpoint is damaged'):
        restore_hub(hub(**info), tmp_path)


@pytest.mark.parametrize(
    'odd',
    [{}, {'log_scalars': 5}, {'log_scalars': {'loss': 1}}, {'log_scalars': {}}, {**hub(), 'resumed_keys': 5}],
)
def test_odd_hubs_are_refused(tmp_path, odd):
    with pytest.raises(ValueError, match='The checkpoint is damaged'):
        restore_hub(odd, tmp_path)


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, mode='loss'):
        return {'loss': self.layer(x).square().mean()}


def train(work_dir, hook, epochs=3):
    return Runner(
        Line(),
        str(work_dir),
        train_dataloader={
            'dataset': [{'x': torch.ones(1)}] * 2,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'batch_size': 1,
            'collate_fn': {'type': 'default_collate'},
        },
        train_cfg={'by_epoch': True, 'max_epochs': epochs},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        default_hooks={'checkpoint': hook},
        custom_hooks=[{'type': 'PlainCheckpointHook'}],
        default_scope='rawtoolbox',
        cfg={'model': {}},
        experiment_name=work_dir.name,
        log_level='ERROR',
    )


@pytest.fixture
def plain_model(monkeypatch):
    from rawtoolbox.engine import checkpoint_hook

    monkeypatch.setattr(checkpoint_hook, 'plain_config', lambda model: {})


def test_the_old_checkpoint_is_there_while_the_new_one_is_written(tmp_path, plain_model, monkeypatch):
    seen = []

    def watched(self, runner, checkpoint):
        seen.append(sorted(path.name for path in tmp_path.glob('epoch_*.pth')))

    monkeypatch.setattr(WholeCheckpointHook, 'before_save_checkpoint', watched)
    train(tmp_path, {'type': WholeCheckpointHook, 'interval': 1, 'max_keep_ckpts': 1}).train()
    assert seen == [[], ['epoch_1.pth'], ['epoch_2.pth']]
    assert [path.name for path in tmp_path.glob('epoch_*.pth')] == ['epoch_3.pth']


def test_a_checkpoint_carries_the_hash_of_its_tensors(tmp_path, plain_model):
    train(tmp_path, {'type': WholeCheckpointHook, 'interval': 1}, epochs=1).train()
    checkpoint = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert checkpoint['meta'][TENSORS_HASH] == tensors_hash(checkpoint)


def test_nothing_to_resume_is_an_error_unless_said_otherwise(tmp_path):
    config = type('Config', (), {'work_dir': str(tmp_path), 'resume': False})()
    with pytest.raises(FileNotFoundError, match=r'Nothing to resume in .*--resume-or-start'):
        set_resume(config, 'auto')
    set_resume(config, 'auto', or_start=True)
    assert config.resume is False
