"""The measurement of aligners: pairs are exact, tables say what rows say, tools write whole files."""

import csv
import importlib.util
import sys

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT

from rawtoolbox.aligners import GCM, Aligned, FlowAligner
from rawtoolbox.benchmarks.alignment import aligners as benchmark
from rawtoolbox.benchmarks.alignment import illumination as gcm_illumination
from rawtoolbox.benchmarks.alignment.figure import (
    alignment_figure,
    diverging,
    illumination_figure,
    illumination_ratio,
)
from rawtoolbox.flow import DISFlow
from rawtoolbox.ops.warp import backward_warp
from rawtoolbox.simulation.known_pairs import held_out, simulated_pairs, stereo_pair

SMALL = 96
PHOTOGRAPHS = ('flower',)


@pytest.fixture(scope='module')
def pair():
    return next(simulated_pairs(held_out(patch_size=SMALL, test_photographs=PHOTOGRAPHS), 1))


@pytest.fixture(scope='module')
def stereo():
    return stereo_pair()


@pytest.fixture
def tool(monkeypatch):
    """Runs a tool in this process, with arguments."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main()

    return run


@pytest.mark.parametrize('which', ['pair', 'stereo'])
def test_the_true_flow_leads_to_the_truth(which, request):
    pair = request.getfixturevalue(which)
    warped, coverage = backward_warp(pair.target, pair.flow)
    inside = (pair.valid * (coverage > 0.999)).bool()[0, 0]
    error = (warped - pair.aligned).abs().mean(1)[0][inside]
    assert error.median() < 0.02 and inside.float().mean() > 0.6
    assert (pair.target - pair.aligned).abs().mean() > 2 * error.mean()
    assert pair.source.shape == pair.target.shape and pair.coord.shape == pair.flow.shape


def test_stereo_stays_under_20_pixels(stereo):
    x, y = stereo.flow[0]
    assert -20 < x.min() < -15 and x.max() <= 0 and not y.any()
    assert stereo.source.mean() < 0.5 * stereo.target.mean()  # linear and darker: a raw


def test_a_patch_is_a_window_of_its_frame():
    config = held_out(patch_size=SMALL, test_photographs=PHOTOGRAPHS)
    whole, patch = (next(simulated_pairs(config, 1, whole=flag)) for flag in (True, False))
    start = ((whole.coord - patch.coord[..., :1, :1]).abs().sum(1)[0] < 1e-6).nonzero()[0].tolist()
    window = (..., slice(start[0], start[0] + SMALL), slice(start[1], start[1] + SMALL))
    for name in ('aligned', 'coord'):
        torch.testing.assert_close(getattr(whole, name)[window], getattr(patch, name))
    inner = (..., slice(1, -1), slice(1, -1))  # demosaicking sees the neighbours
    torch.testing.assert_close(whole.source[window][inner], patch.source[inner])


def test_scores_of_known_flows(pair):
    exact, nowhere = (
        Aligned(pair.aligned, pair.valid, pair.flow),
        Aligned(pair.target, torch.ones_like(pair.valid)),
    )
    scores = benchmark.score(exact, pair)
    assert scores['epe_mean'] == scores['epe_above_1px'] == 0 and scores['psnr'] == float('inf')
    assert scores['masked'] == pytest.approx(1 - pair.valid.mean().item())
    scores = benchmark.score(nowhere, pair)
    lengths = pair.flow.norm(dim=1)[pair.valid[:, 0] > 0]
    assert scores['epe_mean'] == pytest.approx(lengths.mean().item(), rel=1e-5)
    assert scores['masked'] == 0 and scores['psnr'] < 30


def test_settings_of_sweeps_do_not_meet():
    names = [
        name for sweep in benchmark.SWEEPS for name in benchmark.named(sweep) if name != benchmark.DEFAULT
    ]
    assert len(names) == len(set(names))
    for sweep in benchmark.SWEEPS.values():
        for changes in sweep.values():
            held_out(**changes)  # each is a valid simulation


def test_estimators_without_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    found, missing = benchmark.build_estimators(['dis', 'pwcnet', 'raft-small'])
    assert list(found) == ['dis']
    assert [line.partition(' is left out')[0] for line in missing] == ['pwcnet', 'raft-small']
    assert list(benchmark.build_aligners(found, GCM(8)))[:5] == [
        'none',
        'sift',
        'raw + dis',
        'gcm + dis',
        'fit + dis',
    ]


def test_report_holds_the_means_of_the_rows():
    head = {'setting': benchmark.DEFAULT, 'aligner': 'raw + dis'}
    rows = [{**head, 'pair': str(i), **dict.fromkeys(benchmark.TITLES, float(i))} for i in (1, 2)]
    rows += [{**row, 'setting': 'noise none', 'epe_mean': 9.0} for row in rows]
    assert benchmark.means(rows)['noise none', 'raw + dis']['epe_mean'] == 9
    report = benchmark.report(rows)
    assert '1.500' in report and '150.0%' in report
    assert 'EPE mean (median) by noise' in report and '9.000 (1.500)' in report
    assert 'by colour' not in report
    lines = list(csv.DictReader(benchmark.to_csv(rows).splitlines()))
    assert [line['epe_mean'] for line in lines] == ['1.0', '2.0', '9.0', '9.0']


def test_tool_writes_tables_pairs_and_figures(tool, tmp_path, capsys):
    options = ('--flow', 'dis-fast', '--sweeps', 'stereo', '--scenes', 1, '--patch-size', SMALL)
    tool('benchmark_alignment', '--out', tmp_path, *options)
    assert (tmp_path / 'tables.txt').read_text() in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / 'pairs.csv').open()))
    by_name = {(row['pair'], row['aligner']): float(row['epe_mean']) for row in rows}
    assert len(rows) == 4 * 6 and len(list(tmp_path.glob('*.png'))) == 4
    for name in ('flower-0', 'motorcycle-stereo'):
        assert by_name[name, 'fit + dis-fast'] < 0.5 * by_name[name, 'none']
    picture = cv2.imread(tmp_path / 'flower-0.png')
    assert picture.shape[1] == 6 * SMALL and picture.shape[0] == 5 * (SMALL + 22)


def test_figure_leaves_out_what_there_is_not(pair):
    results = {
        name: benchmark.align(aligner, pair)
        for name, aligner in benchmark.build_aligners({'dis': DISFlow('fast')}, GCM(8)).items()
        if name in ('none', 'gcm + dis')
    }
    picture = alignment_figure(pair.source[0], pair.target[0], pair.flow[0], pair.valid[0], results)
    columns = np.split(picture[22 : 22 + SMALL], 6, axis=1)
    assert (columns[1] == 235).all() and (columns[4] == 255).all()  # no GCM output; no flow is white
    assert not (np.split(picture[-SMALL:], 6, axis=1)[1] == 235).all()


def test_illumination_ratio_is_in_stops():
    target = torch.full((1, 3, 32, 32), 0.5)
    assert illumination_ratio(target, target) == pytest.approx(np.zeros((32, 32)), abs=1e-6)
    brighter = (2 * target**2.2) ** (1 / 2.2)
    assert illumination_ratio(brighter, target) == pytest.approx(np.ones((32, 32)), abs=0.01)
    assert diverging(np.array([[-2.0, 0.0, 1.0]])).tolist() == [[[33, 102, 172], [255] * 3, [178, 24, 43]]]


def test_vignetting_is_seen_and_fitted_away():
    pair = next(simulated_pairs(held_out(patch_size=SMALL, test_photographs=PHOTOGRAPHS), 1, whole=True))
    stops = {
        name: gcm_illumination.corner_stops(image, pair)
        for name, image in {
            'raw': pair.source ** (1 / 2.2),
            **gcm_illumination.colour_outputs({}, pair),
        }.items()
    }
    assert 0.4 < stops['raw'] < 1.2 and abs(stops['fitted']) < 0.2, stops
    table = gcm_illumination.illumination_table({'untrained': GCM(8)}, [pair])
    assert [line.split()[0] for line in table.splitlines()[1:]] == ['raw', 'untrained', 'fitted']
    picture = illumination_figure(pair.source, gcm_illumination.colour_outputs({}, pair), pair.aligned)
    height, width = pair.source.shape[-2:]
    assert picture.shape == (2 * (height + 22), 3 * width, 3)


def test_illumination_tool_takes_a_checkpoint(tool, tmp_path, capsys):
    aligner = FlowAligner(DISFlow(), GCM(8))
    config = {
        'aligner': {
            'type': 'FlowAligner',
            'flow_estimator': {'type': 'DISFlow'},
            'colour_mapper': {'type': 'GCM', 'width': 8},
        }
    }
    state = {f'aligner.{name}': value for name, value in aligner.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'model': config}}, tmp_path / 'run.pth')
    tool('gcm_illumination', f'ours={tmp_path / "run.pth"}', '--scenes', 1, '--out', tmp_path / 'c.png')
    assert 'ours' in capsys.readouterr().out and (tmp_path / 'c.png').is_file()
