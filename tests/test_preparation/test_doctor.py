"""The data set doctor: data sets with one thing wrong each, and the tool's words and exit status."""

import importlib.util
import shutil

import cv2
import numpy as np
import pytest
import torch
from conftest import NUM_TEST, NUM_TRAIN, ROOT, SIDE

from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.ops.bayer import CFA_PATTERNS, rephase_offset
from rawtoolbox.preparation.agreement import Agreement
from rawtoolbox.preparation.doctor import Declared, Examination, examine, judge, write_picture
from rawtoolbox.preparation.doctor.cfa import cfa_evidence, decide_cfa

DECLARED = Declared(63, 1020, 'RGGB')


@pytest.fixture(scope='module')
def train(demo_data):
    return ZRRDataset(demo_data, 'train', SIDE)


def diagnose(dataset, declared=DECLARED, flows=0):
    """Findings by severity, and the examination."""
    found = examine(dataset, declared, flows=flows, progress=False)
    findings = judge(found, declared)
    return {
        kind: ' | '.join(f.text for f in findings if f.severity == kind)
        for kind in ('ok', 'warning', 'error')
    }


class Changed(torch.utils.data.Dataset):
    """A data set with every mosaic and target changed."""

    def __init__(self, dataset, mosaic=lambda m: m, target=lambda t: t):
        self.dataset, self.mosaic, self.target, self.names = dataset, mosaic, target, dataset.names

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        item = self.dataset[index]
        samples = {**item['data_samples'], 'target': self.target(item['data_samples']['target'])}
        return {'inputs': {'mosaic': self.mosaic(item['inputs']['mosaic'])}, 'data_samples': samples}


def test_sound_data_have_no_error(train, tmp_path):
    found = examine(train, DECLARED, flows=3, progress=False)
    findings = judge(found, DECLARED)
    assert [f.text for f in findings if f.severity == 'error'] == []
    assert found.examined == NUM_TRAIN and len(found.agreements) == 3
    assert found.histogram.sum() == NUM_TRAIN * SIDE**2
    values = np.concatenate([item['inputs']['mosaic'].numpy().ravel() for item in train])
    assert found.percentile(0.001) == np.sort(values)[int(np.ceil(0.001 * values.size)) - 1]
    write_picture(tmp_path / 'train.png', found, DECLARED, 'train')
    assert cv2.imread(str(tmp_path / 'train.png')).shape == (800, 1300, 3)


@pytest.mark.parametrize('cfa', CFA_PATTERNS)
def test_pattern_is_found_from_the_data(train, cfa):
    top, left = rephase_offset(cfa)
    changed = Changed(train, lambda mosaic: mosaic.roll((top, left), (-2, -1)))
    assert f'The CFA pattern is {cfa}, as declared' in diagnose(changed, Declared(63, 1020, cfa))['ok']
    other = CFA_PATTERNS[CFA_PATTERNS.index(cfa) - 1]
    assert f'looks like {cfa}, {other} is declared' in diagnose(changed, Declared(63, 1020, other))['error']


def test_pattern_of_a_grey_scene_is_left_open():
    grey = np.random.default_rng(0).integers(200, 800, (64, 64)).astype(np.uint16)
    evidence = cfa_evidence(grey.repeat(2, 0).repeat(2, 1), None, np.full((2, 2), 63.0))
    assert len(decide_cfa([evidence])[0]) == 4
    coloured = grey.repeat(2, 0).repeat(2, 1)
    coloured[::2, ::2] //= 3
    assert decide_cfa([cfa_evidence(coloured, None, np.full((2, 2), 10.0))])[0] == ['RGGB', 'BGGR']
    assert len(decide_cfa([])[0]) == 4


@pytest.mark.parametrize(
    ('declared', 'change', 'kind', 'words'),
    [
        (Declared(200, 1020), lambda m: m, 'error', 'far below black: it is set too high'),
        (Declared(0, 1020), lambda m: m, 'warning', 'or it is set too low'),
        (Declared(63, 255), lambda m: m, 'error', 'above white: it is set too low'),
        (Declared(63, 4095), lambda m: m.clamp(max=500), 'warning', 'saturate at 500: white is set too high'),
        (Declared(1008, 16320), lambda m: m * 16, 'warning', 'multiples of 16: they were shifted'),
    ],
)
def test_wrong_levels_are_noticed(train, declared, change, kind, words):
    changed = Changed(train, lambda mosaic: change(mosaic.int()).to(torch.uint16))
    assert words in diagnose(changed, declared)[kind]


def test_pairs_of_other_scenes_are_noticed(train):
    turned = Changed(train, target=lambda target: target.flip(-1))
    assert 'Most do not show the same' in diagnose(turned, flows=4)['error']


@pytest.mark.parametrize(
    ('displacement', 'kind', 'words'),
    [
        (2, 'ok', 'median 2.0 pixels'),
        (12, 'warning', 'above 8. Train with an aligner'),
        (30, 'error', 'Too far'),
    ],
)
def test_displaced_pairs_are_noticed(displacement, kind, words):
    agreements = {str(n): Agreement(0.9, float(displacement), 0.9) for n in range(9)}
    unlike = {'unlike': Agreement(0.2, 99.0, 0.1)}  # flow between pictures of different things means nothing
    found = Examination(10, 10, agreements=agreements | unlike)
    assert [f.severity for f in judge(found, DECLARED) if words in f.text] == [kind]
    assert found.displacements == [displacement] * 9


def run(arguments, tmp_path):
    spec = importlib.util.spec_from_file_location('verify_tool', ROOT / 'tools' / 'verify_dataset.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool.main([*arguments, '--flows', '2', '--out', str(tmp_path / 'pictures')])


def test_tool_names_damaged_copied_and_shared_files(demo_data, tmp_path, capsys):
    data = tmp_path / 'data'
    shutil.copytree(demo_data, data)
    (data / 'simulation.json').unlink()
    broken = data / 'train' / 'huawei_raw' / '2.png'
    broken.write_bytes(broken.read_bytes()[:-900])
    shutil.copy(data / 'train' / 'huawei_raw' / '3.png', data / 'train' / 'huawei_raw' / '4.png')
    shutil.copy(data / 'train' / 'huawei_raw' / '5.png', data / 'test' / 'huawei_raw' / '1.png')
    options = ['--cfg-options', f'data_root={data}']
    options += [f'{loader}_dataloader.dataset.patch_size={SIDE}' for loader in ('train', 'val', 'test')]
    options += [f'{loader}_dataloader.dataset.check_headers=none' for loader in ('train', 'val', 'test')]
    assert run([str(ROOT / 'configs' / 'gcm_liteisp_own.py'), *options], tmp_path) == 1
    said = capsys.readouterr().out
    assert f'{NUM_TRAIN - 1} of {NUM_TRAIN} that were looked at can be read' in said and '2.png' in said
    assert '3 = 4' in said
    assert '1 pairs are in both splits (1)' in said
    assert 'Verdict: not fit for training (2 errors' in said
    assert (tmp_path / 'pictures' / 'train.png').is_file()


def test_tool_passes_the_demo_and_reports_what_is_not_there(demo_options, tmp_path, capsys):
    demo = str(ROOT / 'configs' / 'gcm_liteisp_demo.py')
    assert run([demo, '--split', 'val', '--cfg-options', *demo_options], tmp_path) == 0
    said = capsys.readouterr().out
    assert f'{NUM_TEST} pairs' in said and 'Verdict: fit for training' in said
    assert (
        run(
            [str(ROOT / 'configs' / 'gcm_liteisp_zrr.py'), '--cfg-options', f'data_root={tmp_path}/no'],
            tmp_path,
        )
        == 1
    )
    assert 'expected the data set, found no such folder' in capsys.readouterr().out
    with pytest.raises(ValueError, match='--items and --flows: expected positive'):
        run([demo, '--items', '0'], tmp_path)
