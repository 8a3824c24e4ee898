import pytest
import torch

from rawtoolbox.engine.checkpoint_hook import restore_hub

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


@pytest.mark.parametrize('odd', [{}, {'log_scalars': 5}, {'log_scalars': {'loss': 1}}, {'log_scalars': {}}])
def test_odd_hubs_are_refused(tmp_path, odd):
    with pytest.raises(ValueError, match='The checkpoint is damaged'):
        restore_hub(odd, tmp_path)
