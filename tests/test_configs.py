"""Every config of the folder is complete: it loads, its model can be built, and what is dumped reads back."""

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope

from rawtoolbox.aligners import IdentityAligner
from rawtoolbox.engine.config import load_config, plain_config
from rawtoolbox.registry import MODELS

ALL_CONFIGS = sorted(path.stem for path in (ROOT / 'configs').glob('*.py'))
CONFIGS = [name for name in ALL_CONFIGS if not name.startswith('flow_')]  # those train a flow estimator


@pytest.fixture(autouse=True)
def default_scope():
    with DefaultScope.overwrite_default_scope('rawtoolbox'):
        init_default_scope('rawtoolbox')
        yield


def short_types(node):
    """A plain config with types by their class's name: a dump has them with their module."""
    if isinstance(node, list):
        return [short_types(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: v.split('.')[-1] if key == 'type' else short_types(v) for key, v in node.items()}


@pytest.mark.parametrize('name', ALL_CONFIGS)
def test_config_builds_and_dumps(name, tmp_path):
    config = load_config(ROOT / 'configs' / f'{name}.py')
    with torch.device('meta'):  # shapes only
        model = MODELS.build(config.model)
    network = model.backbone if name in CONFIGS else model.flow_estimator
    assert sum(p.numel() for p in network.parameters()) > 5e4
    config.dump(tmp_path / 'dumped.py')
    dumped = Config.fromfile(tmp_path / 'dumped.py', lazy_import=False)
    assert short_types(plain_config(dumped.model)) == short_types(plain_config(config.model))


@pytest.mark.parametrize('name', CONFIGS)
def test_name_says_aligner_backbone_and_data(name):
    aligner, backbone, data = name.split('_')
    config = load_config(ROOT / 'configs' / f'{name}.py')
    does_not = config.model.get('aligner') is None or config.model.aligner.type is IdentityAligner
    assert does_not == (aligner == 'none')
    assert backbone[:4] in config.model.backbone.type.__name__.lower()
    assert data


def test_the_docstring_names_the_row():
    """What a config reproduces stands at its top, and in the table of recipes."""
    table = (ROOT / 'docs' / 'training_recipes.md').read_text()
    for name in [name for name in CONFIGS if '_zrr' in name]:
        assert 'Table ' in (ROOT / 'configs' / f'{name}.py').read_text().split('"""')[1], name
        assert f'`{name}`' in table, name
