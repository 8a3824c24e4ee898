import csv
import json
import math
import pickle

import pytest
import torch
from torch import nn

from rawtoolbox.metrics import AlignmentProtocols, protocols, psnr, ssim
from rawtoolbox.registry import METRICS

SIZE = (24, 32)


class KnownFlow(nn.Module):
    """Says of every pair that the second image lies two pixels to the right."""

    def forward(self, first, second):
        assert first.shape == second.shape == (1, 3, *SIZE)
        return torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(protocols, 'print_log', lambda message, **_: lines.append(message))
    return lines


def make(**arguments):
    return AlignmentProtocols(**{'metrics': ('psnr', 'ssim'), 'flow_estimator': KnownFlow()} | arguments)


def sample(name='a', seed=0, **entries):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(3, *SIZE, generator=generator)
    pred = target.roll(-2, 2) + 0.02 * torch.randn(3, *SIZE, generator=generator)
    return {'name': name, 'pred': pred, 'target': target, **entries}


def aligned(seed=0):
    mask = torch.ones(1, *SIZE)
    mask[:, :8] = 0
    one = sample(seed=seed)
    return one | {
        'aligned_target': one['target'].roll(-2, 2) * mask,
        'aligned_mask': mask,
        'aligner': 'gcm_liteisp.pth 0123abcd',
    }


def test_original_is_the_plain_metric():
    metric, one = make(protocols=['original']), sample()
    row = metric.score(one)
    pred = one['pred'].clamp(0, 1)
    assert row == {
        'name': 'a',
        'aligner': None,
        'original/psnr': psnr(pred, one['target']),
        'original/ssim': ssim(pred, one['target']),
    }


def test_align_with_result_warps_the_target():
    row = make(protocols=['align_result']).score(sample())
    one = sample()
    pred, mask = one['pred'].clamp(0, 1), torch.ones(1, *SIZE)
    mask[..., -2:] = 0
    warped = one['target'].roll(-2, 2) * mask
    assert row['align_result/psnr'] == pytest.approx(psnr(pred, warped, mask))
    assert row['align_result/psnr_excluded'] == pytest.approx(psnr(pred, warped, mask, 'excluded'))
    assert row['align_result/ssim_excluded'] == pytest.approx(ssim(pred, warped, mask, 'excluded'))
    assert 30 < row['align_result/psnr_excluded'] < row['align_result/psnr']
    assert make(protocols=['original']).score(sample())['original/psnr'] < 15


def test_align_with_raw_uses_what_the_model_gives():
    one = aligned()
    row = make(protocols=['align_raw']).score(one)
    pred = one['pred'].clamp(0, 1)
    assert row['align_raw/psnr'] == psnr(pred, one['aligned_target'], one['aligned_mask'])
    assert row['align_raw/ssim_excluded'] == ssim(
        pred, one['aligned_target'], one['aligned_mask'], 'excluded'
    )
    assert row['aligner'] == 'gcm_liteisp.pth 0123abcd'


def test_a_model_without_aligner(said):
    metric = make()
    metric.process(None, [sample('a'), sample('b')])
    found = metric.evaluate(2)
    assert {name.partition('/')[0] for name in found} == {'original', 'align_result'}
    warnings = [line for line in said if 'aligner_checkpoint' in line]
    assert len(warnings) == 1


def test_without_the_weights_of_lpips(said, monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.delenv('RAWTOOLBOX_WEIGHTS', raising=False)
    metric = make(metrics=('psnr', 'ssim', 'lpips'), protocols=['original'], out_dir=tmp_path)
    metric.process(None, [sample('a'), sample('b')])
    assert metric.results[0]['original/lpips'] is None
    found = metric.evaluate(2)
    assert set(found) == {'original/psnr', 'original/ssim'}
    assert sum('RAWTOOLBOX_WEIGHTS' in line for line in said) == 1
    assert json.loads((tmp_path / 'metrics.json').read_text())['means']['original/lpips'] is None
    assert (tmp_path / 'metrics.csv').read_text().splitlines()[1].endswith(',')
    assert said[-1].splitlines()[2].endswith('-')


def test_truth():
    exact = sample()['pred'].clamp(0, 1)
    truth = torch.zeros(2, 12, 16)
    truth[0] = 3
    truth[1, :, 8:] = 4
    valid = torch.ones(1, 12, 16)
    valid[:, 6:] = 0
    wrong_where_unknown = torch.where(valid == 1, truth + torch.tensor([0.5, 0]).view(2, 1, 1), math.nan)
    row = make(protocols=[]).score(
        sample(
            exact_target=exact,
            baseline=torch.zeros(3, *SIZE),
            flow=wrong_where_unknown,
            true_flow=truth,
            flow_valid=valid,
        )
    )
    assert row['exact/psnr'] == math.inf
    assert row['exact/psnr_baseline'] == psnr(torch.zeros(3, *SIZE), exact)
    assert row['flow/epe_mean'] == pytest.approx(0.5)
    assert row['flow/epe_above_1px'] == 0
    assert row['flow_none/epe_mean'] == pytest.approx((3 + 5) / 2)
    assert row['flow_none/epe_above_3px'] == 0.5
    assert not any(key.startswith('flow_raw') for key in row)


def test_a_smaller_baseline_is_left_out():
    small = sample(exact_target=sample()['target'], baseline=torch.zeros(3, 12, 16))
    assert 'exact/psnr_baseline' not in make(protocols=[]).score(small)


def test_means_table_and_files(said, tmp_path):
    metric = make(out_dir=tmp_path / 'new', protocols=['original', 'align_raw'])
    truth = {'true_flow': torch.ones(2, *SIZE), 'exact_target': sample()['target']}
    rows = [aligned() | truth, sample('b', 1), aligned(2) | {'name': 'c'}]
    metric.process(None, rows[:2])
    metric.process(None, rows[2:])
    stored = list(metric.results)
    found = metric.evaluate(3)
    assert found['original/psnr'] == pytest.approx(sum(row['original/psnr'] for row in stored) / 3)
    assert found['align_raw/psnr'] == pytest.approx(
        sum(row['align_raw/psnr'] for row in (stored[0], stored[2])) / 2
    )
    assert all(isinstance(value, float) for value in found.values())

    content = json.loads((tmp_path / 'new' / 'metrics.json').read_text())
    assert content['images'] == 3
    assert content['means'] == pytest.approx(found)
    assert content['counts']['align_raw/psnr'] == 2
    assert content['aligners'] == ['gcm_liteisp.pth 0123abcd']
    assert content['settings']['protocols'] == ['original', 'align_raw']
    assert 'lpips' in content['versions']

    with (tmp_path / 'new' / 'metrics.csv').open(newline='') as file:
        lines = list(csv.DictReader(file))
    assert [line['name'] for line in lines] == ['a', 'b', 'c']
    assert float(lines[1]['original/psnr']) == stored[1]['original/psnr']
    assert lines[1]['align_raw/psnr'] == ''
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['metrics.csv', 'metrics.json']

    table = said[-1]
    assert 'Original GT' in table
    assert f'{found["align_raw/psnr"]:.2f} ({found["align_raw/psnr_excluded"]:.2f})' in table
    assert 'no alignment' in table
    assert metric.results == []


def test_a_perfect_result(said, tmp_path):
    metric = make(protocols=['original'], out_dir=tmp_path)
    target = sample()['target']
    metric.process(None, [{'name': 'a', 'pred': target, 'target': target}])
    assert metric.evaluate(1) == {'original/psnr': math.inf, 'original/ssim': 1.0}
    assert json.loads((tmp_path / 'metrics.json').read_text())['means']['original/psnr'] == 'inf'


def test_an_image_without_valid_pixels_does_not_count(said):
    metric = make(protocols=['align_raw'])
    nothing = aligned() | {'aligned_mask': torch.zeros(1, *SIZE)}
    metric.process(None, [aligned(), nothing])
    expected = metric.results[0]['align_raw/psnr_excluded']
    assert metric.evaluate(2)['align_raw/psnr_excluded'] == expected


def test_results_are_small_and_can_be_gathered():
    row = make().score(aligned() | {'true_flow': torch.ones(2, *SIZE)})
    assert len(pickle.dumps(row)) < 2000
    assert all(value is None or isinstance(value, (float, str)) for value in row.values())


def test_built_by_the_registry_with_prefix(said):
    metric = METRICS.build(
        {'type': 'AlignmentProtocols', 'protocols': ['original'], 'metrics': ['psnr'], 'prefix': 'zrr'}
    )
    metric.process(None, [sample()])
    assert list(metric.evaluate(1)) == ['zrr/original/psnr']


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"protocols: 'align_raws' is not known\. Did you mean align_raw"):
        make(protocols=['align_raws'])
    with pytest.raises(ValueError, match="metrics: 'msssim' is not known"):
        make(metrics=['msssim'])
    bad = sample('IMG_7')
    bad['pred'][0, 0, 0] = math.nan
    with pytest.raises(ValueError, match='image IMG_7: pred: 1 of 2304 values are NaN'):
        make().process(None, [bad])
    with pytest.raises(ValueError, match='image a: target: expected the shape'):
        make(protocols=['original']).process(None, [sample(target=torch.rand(3, 24, 31))])


def test_images_that_fill_up_the_last_batch_are_dropped(said):
    metric = make(protocols=['original'])
    metric.process(None, [sample('a'), sample('b', 1), sample('a')])
    expected = sum(row['original/psnr'] for row in metric.results[:2]) / 2
    assert metric.evaluate(2)['original/psnr'] == pytest.approx(expected)


def test_the_flow_of_a_smaller_image_is_enlarged():
    """The official code for SR-RAW aligns with the result at half the size."""

    class HalfFlow(nn.Module):
        def forward(self, first, second):
            assert first.shape == second.shape == (1, 3, SIZE[0] // 2, SIZE[1] // 2)
            return torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, SIZE[0] // 2, SIZE[1] // 2)

    half = make(protocols=['align_result'], flow_estimator=HalfFlow(), flow_size=0.5)
    assert half.score(sample()) == make(protocols=['align_result']).score(sample())
    assert half.settings['flow_size'] == 0.5
    with pytest.raises(ValueError, match='flow_size: expected a part .* found 2'):
        make(flow_size=2)
