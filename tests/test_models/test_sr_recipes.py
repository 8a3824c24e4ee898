"""The recipes of SR-RAW, narrow and on simulated scenes: trained, resumed at its scale, over-fitted, tested."""

import pytest
import torch
from conftest import ROOT
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from recipes import start

from rawtoolbox.engine.config import load_config
from rawtoolbox.registry import MODELS
from rawtoolbox.simulation.sr_raw import simulate_sr_raw, sr_config

TRAINED = ('gcm_srresnet_srraw', 'gcm_srresnetgan_srraw', 'none_srresnetcobi_srraw')
TESTED = ('none_rrdbnetesrgan_srraw', 'none_rrdbnetrealsr_srraw', 'none_msrresnetsrgan_srraw')
CROP = 16


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('srraw') / 'data'
    return simulate_sr_raw(folder, sr_config(crop=2 * CROP), {'train': 2, 'val': 1, 'test': 1})


def narrow(name, root):
    """A config of SR-RAW with a narrow network, one short epoch a stage and small batches."""
    config = load_config(ROOT / 'configs' / f'{name}.py', {'data_root': str(root)})
    config.model.backbone.update(width=4, blocks=1)
    if config.model.get('aligner'):
        config.model.aligner.colour_mapper.width = 8
    if 'discriminator' in config.model:
        config.model.discriminator.update(width=4, layers=2)
    if 'cobi' in name:
        config.train_cfg['levels'] = config.train_cfg['levels'][-1:]  # the slow one once
    for losses in [
        config.model.get('losses', {}),
        *(stage.losses for stage in config.train_cfg.get('levels', [])),
    ]:
        losses.pop('perceptual', None)
        if 'cobi' in losses:
            losses.cobi.update(patch_size=3, max_positions=64)
    for stage in config.train_cfg.get('levels', []):
        stage.update(epochs=1, batch_size=2)
    if 'levels' not in config.train_cfg:
        config.train_cfg.max_epochs = 1
    config.train_dataloader.batch_size = 2
    config.train_dataloader.sampler.length = 2
    config.load_from = None
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.crop_size = CROP
    return config


@pytest.mark.parametrize('name', TRAINED)
def test_trains(name, root, tmp_path):
    config = narrow(name, root)
    runner = start(config, tmp_path / name)
    assert runner.iter == len(config.train_cfg.get('levels', [0]))
    assert all(parameter.isfinite().all() for parameter in runner.model.parameters())
    assert runner.model.backbone.level == 0  # the last stage is the whole network
    assert runner.train_loop.dataloader.sampler.epoch == runner.epoch - 1


def test_the_joint_recipe_learns_one_batch_at_every_scale(root):
    init_default_scope('rawtoolbox')
    config = narrow('gcm_srresnet_srraw', root)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    batch = model.data_preprocessor(next(iter(loader)))
    for level in (2, 0):
        model.backbone.level = level
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        totals = []
        for _ in range(12):
            losses = model(**batch, mode='loss')
            totals.append(sum(losses.values()))
            optimiser.zero_grad()
            totals[-1].backward()
            optimiser.step()
        assert {'loss_l1', 'loss_ssim', 'loss_gcm'} == set(losses)
        assert totals[-1] < 0.8 * totals[0]


def test_output_is_white_balanced_as_in_the_released_code(root):
    init_default_scope('rawtoolbox')
    config = narrow('gcm_srresnet_srraw', root)
    model = MODELS.build(config.model).eval()
    batch = model.data_preprocessor(next(iter(Runner.build_dataloader(config.test_dataloader, seed=0))))
    with torch.no_grad():
        image = model(**batch, mode='tensor')
        plain = model.backbone(batch['inputs']['raw'])
        predicted = model(**batch, mode='predict')[0]
    gains = batch['inputs']['gain'][0, :, 0, 0]
    assert image.shape == (1, 3, 4 * CROP, 4 * CROP)
    assert torch.allclose(image[0], plain[0] * gains[:, None, None])
    assert torch.equal(predicted['pred'], image[0].clamp(0, 1))
    assert predicted['baseline'].shape == (3, CROP, CROP)


@pytest.mark.parametrize('name', TESTED)
def test_networks_of_photos_are_scored_by_the_three_protocols(name, root, tmp_path):
    trained = start(narrow('gcm_srresnet_srraw', root), tmp_path / 'run') if name == TESTED[0] else None
    config = narrow(name, root)
    config.work_dir, config.log_level = str(tmp_path / name), 'ERROR'
    config.test_evaluator.metrics = ('psnr',)
    if trained:
        config.model.aligner_checkpoint = str(next((tmp_path / 'run').glob('epoch_6.pth')))
    scores = Runner.from_cfg(config).test()
    expected = {'original/psnr', 'align_result/psnr'} | ({'align_raw/psnr'} if trained else set())
    assert expected <= set(scores)
