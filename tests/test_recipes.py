"""Every recipe on pairs of one size trains by the one Runner, in this process, narrow and on simulated pairs."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from recipes import PAIRS, ZRR, narrow, start, state

from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.engine import launch
from rawtoolbox.registry import MODELS

LEVELS = [(5, 1), (4, 1), (3, 2), (2, 1), (1, 1), (0, 1)]  # level and epochs, each of one batch


@pytest.fixture(autouse=True)
def default_scope():
    with DefaultScope.overwrite_default_scope('rawtoolbox'):
        yield


def differing(first, second):
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]


@pytest.mark.parametrize('name', ZRR + PAIRS)
def test_trains_two_iterations(name, demo_data, tmp_path):
    config = narrow(name, demo_data)
    if 'levels' in config.train_cfg:
        config.train_cfg.levels = [config.train_cfg.levels[0]]  # all of them below
    runner = start(config, tmp_path / name)
    assert runner.iter == 2
    assert runner.message_hub.get_scalar('train/loss').current() > 0
    weights = state(tmp_path / name / 'epoch_1.pth')['state_dict']
    assert all(tensor.isfinite().all() for tensor in weights.values())


def steps(config, count, lr, level=None):
    """What the backbone's losses sum up to in every step on one batch."""
    torch.manual_seed(0)
    wrapper = config.optim_wrapper
    for part in [wrapper] if 'optimizer' in wrapper else [wrapper.generator, wrapper.discriminator]:
        part.optimizer.lr = lr
    model = MODELS.build(config.model)
    if level:
        model.backbone.level = level.level
        model.set_losses(level.losses)
    wrapper = build_optim_wrapper(model, wrapper)
    arguments = {key: value for key, value in config.train_dataloader.dataset.items() if key != 'type'}
    pairs = torch.utils.data.default_collate(list(ZRRDataset(**{**arguments, 'names': 2})))
    data = model.data_preprocessor(pairs, training=True)
    sums = []
    for _ in range(count):
        with wrapper.optim_context(model):
            losses = model(**data, mode='loss')
        wrapper.update_params(sum(losses.values()))
        others = ('loss_gcm', 'loss_gan', 'loss_discriminator')
        sums.append(sum(value.item() for key, value in losses.items() if key not in others))
    return sums


@pytest.mark.parametrize(
    ('name', 'count', 'lr'),
    [
        ('gcm_liteisp_zrr', 16, 2e-3),
        ('gcm_liteispgan_zrr', 16, 2e-3),
        ('none_mwispnet_zrr', 20, 2e-3),
        ('none_mwispgan_zrr', 24, 2e-3),
        ('none_awnetraw_zrr', 10, 1e-3),
        ('none_awnetdemosaicked_zrr', 10, 2e-3),
    ],
)
def test_loss_falls_on_one_batch(name, count, lr, demo_data):
    sums = steps(narrow(name, demo_data), count, lr)
    assert min(sums[-3:]) < 0.6 * sums[0], sums


@pytest.mark.parametrize(('index', 'count', 'lr'), [(0, 10, 2e-3), (2, 10, 2e-3), (5, 24, 5e-3)])
def test_loss_of_a_level_falls_on_one_batch(index, count, lr, demo_data):
    config = narrow('none_pynet_zrr', demo_data)
    sums = steps(config, count, lr, config.train_cfg.levels[index])
    assert min(sums[-3:]) < 0.7 * sums[0], sums


def pynet(demo_data, levels=LEVELS):
    config = narrow('none_pynet_zrr', demo_data)
    config.train_dataloader.dataset.names = 2
    by_level = {stage.level: stage for stage in config.train_cfg.levels}
    config.train_cfg.levels = [{**by_level[level], 'epochs': epochs} for level, epochs in levels]
    config.default_hooks.checkpoint.max_keep_ckpts = -1
    return config


@pytest.fixture(scope='module')
def pyramid(demo_data, tmp_path_factory):
    """PyNET's six levels in one run."""
    work_dir = tmp_path_factory.mktemp('pyramid') / 'whole'
    with DefaultScope.overwrite_default_scope('rawtoolbox'):
        runner = start(pynet(demo_data), work_dir)
    assert runner.iter == runner.max_iters == 7
    return work_dir


def test_checkpoints_say_their_level(pyramid):
    found = [state(pyramid / f'epoch_{epoch}.pth')['meta']['level'] for epoch in range(1, 8)]
    assert found == [5, 4, 3, 3, 2, 1, 0]


def test_each_level_starts_from_the_last_and_leaves_the_finer_ones_alone(pyramid):
    states = [state(pyramid / f'epoch_{epoch}.pth')['state_dict'] for epoch in (1, 2, 3)]
    fourth = differing(states[0], states[1])  # what training level 4 changed
    assert any(name.startswith('backbone.level5') for name in fourth)
    assert any(name.startswith('backbone.level4') for name in fourth)
    assert not any(name.startswith(f'backbone.level{level}') for name in fourth for level in range(4))
    assert any(name.startswith('backbone.level3') for name in differing(states[1], states[2]))


def test_resumes_within_level_3_bit_for_bit(pyramid, demo_data, tmp_path):
    runner = start(pynet(demo_data), tmp_path / 'resumed', resume=pyramid / 'epoch_3.pth')
    whole, resumed = state(pyramid / 'epoch_7.pth'), state(tmp_path / 'resumed' / 'epoch_7.pth')
    assert runner.iter == 7
    assert differing(whole['state_dict'], resumed['state_dict']) == []
    assert not (tmp_path / 'resumed' / 'epoch_3.pth').exists()


def test_the_optimiser_begins_anew_with_a_level(pyramid):
    """Adam's steps are counted from the level's first epoch on; level 3 has two."""
    counts = [
        {int(p['step']) for p in state(pyramid / f'epoch_{epoch}.pth')['optimizer']['state'].values()}
        for epoch in (2, 3, 4)
    ]
    assert counts == [{1}, {1}, {2}]


def test_a_checkpoint_is_tested_at_its_level(pyramid, demo_data, tmp_path):
    config = pynet(demo_data)
    launch.set_work_dir(config, str(tmp_path / 'test'))
    config.test_dataloader = config.val_dataloader
    config.experiment_name = 'tested_at_level_3'
    launch.set_test(config, str(pyramid / 'epoch_4.pth'), None)
    config.test_evaluator.update(protocols=('original',), metrics=('psnr',))
    runner = launch.build_runner(config)
    assert runner.test()['original/psnr'] > 3
    assert runner.model.backbone.level == 3
    assert runner.model.backbone.raw_input.scale == 0.25


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'level': 6}, 'level: expected 0'),
        ({'batch_size': 9}, 'level 5 has batches of 9, more than the 2 pairs'),
        ({'rounds': 3}, r'train_cfg.levels\[0\]: missing or unknown: rounds'),
        ({'losses': {'l1': {'type': 'L1Los'}}}, 'Did you mean L1Loss'),
    ],
)
def test_a_wrong_level_is_found_before_training(change, message, demo_data, tmp_path):
    config = pynet(demo_data, LEVELS[:1])
    config.train_cfg.levels[0].update(change)
    with pytest.raises((ValueError, KeyError), match=message):
        start(config, tmp_path / 'wrong')


def test_levels_need_a_backbone_that_has_them(demo_data, tmp_path):
    config = pynet(demo_data)
    config.model.backbone = {'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1}
    with pytest.raises(ValueError, match='a backbone that has them, found LiteISPNet'):
        start(config, tmp_path / 'wrong')


def test_two_optimisers_resume_bit_for_bit_and_in_bfloat16(demo_data, tmp_path):
    for epochs, resume in ((2, None), (1, None), (2, 'auto')):
        config = narrow('gcm_liteispgan_zrr', demo_data)
        config.train_cfg.max_epochs = epochs
        launch.set_autocast(config)
        start(config, tmp_path / ('whole' if epochs == 2 and not resume else 'resumed'), resume)
    whole, resumed = (state(tmp_path / run / 'epoch_2.pth') for run in ('whole', 'resumed'))
    assert any(name.startswith('discriminator.') for name in whole['state_dict'])
    assert differing(whole['state_dict'], resumed['state_dict']) == []
    assert whole['optimizer'].keys() == {'generator', 'discriminator'}
    for part in whole['optimizer']:
        for first, second in zip(
            *(run['optimizer'][part]['state'].values() for run in (whole, resumed)), strict=True
        ):
            assert differing(first, second) == []


@pytest.mark.parametrize('name', ['gcm_liteispgan_zrr', 'none_pynet_zrr'])
def test_trains_wrapped_for_several_processes(name, demo_data, tmp_path, monkeypatch):
    """DistributedDataParallel in a group of one: two optimisers, and parameters without gradient, are no trouble."""
    config = narrow(name, demo_data)
    if 'levels' in config.train_cfg:
        config.train_cfg.levels = config.train_cfg.levels[:2]
    variables = {
        'RANK': 0,
        'LOCAL_RANK': 0,
        'WORLD_SIZE': 1,
        'LOCAL_WORLD_SIZE': 1,
        'MASTER_ADDR': '127.0.0.1',
    }
    for key, value in {**variables, 'MASTER_PORT': 0}.items():  # any free port
        monkeypatch.setenv(key, str(value))
    runner = start(config, tmp_path / name, launcher='pytorch')
    assert runner.iter == (4 if 'levels' in config.train_cfg else 2)
    assert isinstance(runner.model, torch.nn.parallel.DistributedDataParallel)
    names = state(next((tmp_path / name).glob('epoch_*.pth')))['state_dict']
    assert all(key.startswith(('backbone.', 'aligner.', 'discriminator.')) for key in names)
