"""The rows of tables 3 and 4 on simulated pairs: each aligns as its name says, and differs in nothing else."""

import pytest
from conftest import ROOT

from rawtoolbox.engine.config import load_config
from rawtoolbox.registry import ALIGNERS

FLOW = {
    'output': {'reference': 'output', 'colour_mapper': None, 'colour_fit': 0},
    'raw': {'reference': 'raw', 'colour_mapper': None, 'colour_fit': 0},
    'fit': {'reference': 'raw', 'colour_mapper': None, 'colour_fit': 1},
    'gcm': {'reference': 'mapped', 'colour_fit': 0},
    'spn': {'reference': 'mapped', 'colour_fit': 0},
    'spnguide': {'reference': 'mapped', 'colour_fit': 0},
}
MAPPERS = {'gcm': (True, True), 'spn': (False, False), 'spnguide': (True, False)}  # guide, coord
NAMES = [f'{row}_liteisp_sim' for row in (*FLOW, 'sift', 'none')] + ['none_liteisp_simexact']


def load(name):
    return load_config(ROOT / 'configs' / f'{name}.py')


@pytest.mark.parametrize('row', FLOW)
def test_aligns_as_its_name_says(row):
    aligner = ALIGNERS.build(load(f'{row}_liteisp_sim').model.aligner)
    assert {name: getattr(aligner, name) for name in FLOW[row]} == FLOW[row]
    if row in MAPPERS:
        assert (aligner.colour_mapper.guide_net is not None, aligner.colour_mapper.coord) == MAPPERS[row]


def test_rows_without_flow():
    assert type(ALIGNERS.build(load('sift_liteisp_sim').model.aligner)).__name__ == 'HomographyAligner'
    assert load('none_liteisp_sim').model.aligner is load('none_liteisp_simexact').model.aligner is None


@pytest.mark.parametrize('name', NAMES)
def test_differs_in_nothing_else(name):
    reference, config = load('gcm_liteisp_demo'), load(name)
    target = config.train_dataloader.dataset.pop('target_dir', None)
    assert target == ('aligned' if name.endswith('exact') else None)
    config.model.aligner = reference.model.aligner
    assert config.to_dict() == reference.to_dict()
