"""The configs of pairs made small enough to train in a second: shared by the tests of configs and of training."""

import logging
from itertools import count

import torch
from conftest import ROOT, SIDE
from mmengine.runner import Runner

from rawtoolbox.datasets import SimulatedZRRDataset
from rawtoolbox.engine import launch
from rawtoolbox.engine.config import load_config

ZRR = sorted(path.stem for path in (ROOT / 'configs').glob('*_zrr*.py'))
PAIRS = sorted(
    p.stem for kind in ('demo', 'sim', 'simexact', 'own') for p in (ROOT / 'configs').glob(f'*_{kind}.py')
)
SMALL = {
    'LiteISPNet': {'width': 8, 'n_rcab': 1},
    'MWISPNet': {'width': 16, 'n_rcab': 1},
    'AWNetRaw': {'width': 16, 'blocks': (1, 1, 1, 1, 1)},
    'AWNetDemosaicked': {'width': 16, 'blocks': (1, 1, 1, 1, 1)},
    'PyNET': {'width': 4},
    'LAN': {'width': 8},
    'MetaISP': {'width': 8, 'expansion': 8, 'bases': 3},
    'SYENet': {'width': 4, 'branch_scale': 2},
}
CROP = {'AWNetRaw': 64, 'PyNET': 64}  # their strides ask for it; 32 elsewhere
RUNS = count()


def narrow(name, data_root):
    """A config of the folder with a narrow network, small crops and two batches of two."""
    config = load_config(ROOT / 'configs' / f'{name}.py', {'data_root': str(data_root)})
    model = config.model
    kind = model.backbone.type.__name__
    model.backbone.update(SMALL[kind])
    model.data_preprocessor.crop_size = CROP.get(kind, 32)
    if model.get('aligner') and model.aligner.get('colour_mapper'):
        model.aligner.colour_mapper.width = 8
    if 'discriminator' in model:
        model.discriminator.width = 4
    for losses in [model.get('losses', {}), *(level.losses for level in config.train_cfg.get('levels', []))]:
        if isinstance(losses.get('perceptual'), dict):
            losses.perceptual.missing = 'skip'  # VGG's weights are not everywhere
        if 'ms_ssim' in losses:
            losses.ms_ssim.weights = (0.5, 0.5)  # five scales need 176 pixels
    if kind == 'AWNetDemosaicked':
        model.head_losses[1].pop('perceptual')  # an image of 8 pixels here, of which VGG makes nothing
    for level in config.train_cfg.get('levels', []):
        level.update(epochs=1, batch_size=2)
        if level.level >= 2:
            level.losses.pop('perceptual', None)  # its images have fewer than 16 pixels here
    if 'levels' not in config.train_cfg:
        config.train_cfg.max_epochs = 1
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        if loader.dataset.type is SimulatedZRRDataset:  # made already, in ``data_root``
            loader.dataset = {
                k: v for k, v in loader.dataset.items() if k not in ('simulation', 'num_train', 'num_test')
            }
            loader.dataset.type = 'ZRRDataset'
        resplit = 'Resplit' in str(loader.dataset.type)
        loader.dataset.update(patch_size=SIDE, names=3 if resplit else 4)
    config.val_dataloader.dataset.names = 1
    config.train_dataloader.batch_size = 2
    config.load_from = None
    return config


def start(config, work_dir, resume=None, launcher='none', validate=False):
    """Trains a config in this process as tools/train.py does, and returns the Runner."""
    launch.set_work_dir(config, str(work_dir))
    # else two runs within a second share a logger, whose file the first has closed
    config.experiment_name = f'{work_dir.name}_{next(RUNS)}'
    config.log_level = 'ERROR'
    launch.set_resume(config, resume and str(resume))
    if not validate:
        launch.without_validation(config)
    with launch.distributed(config, launcher):
        runner = Runner.from_cfg(config)
        runner.train()
    logging.shutdown()
    return runner


def state(path):
    return torch.load(path, weights_only=True)
