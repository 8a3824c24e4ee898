import math

import cv2
import numpy as np
import pytest
import torch

from rawtoolbox.aligners import FlowAligner, IdentityAligner
from rawtoolbox.benchmarks.alignment.page import COLUMNS, summary, write_page
from rawtoolbox.benchmarks.alignment.real_pairs import (
    RealPairSettings,
    align,
    measure_pairs,
    read_pairs,
    return_gap,
    wrong_scenes,
)
from rawtoolbox.benchmarks.alignment.real_scores import (
    agreement,
    known_shift,
    likeness,
    separation,
    shift_error,
)
from rawtoolbox.flow import DISFlow
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.ops.warp import backward_warp

SIZE = 96


def scene(seed):
    noise = np.random.default_rng(seed).standard_normal((SIZE, SIZE, 3)).astype(np.float32)
    image = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(0.5 + 0.18 * image / image.std(), 0.05, 0.95)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three scenes: raws at a third of the light, photos 1.5 pixels to the right."""
    root = tmp_path_factory.mktemp('pairs')
    for name in ('huawei_raw', 'canon'):
        (root / name).mkdir()
    for seed in range(3):
        photo = scene(seed)
        moved = cv2.warpAffine(photo, np.float32([[1, 0, 1.5], [0, 1, 0]]), (SIZE, SIZE), borderMode=1)
        light = photo**2.2 / 3
        mosaic = light[..., 1].copy()
        mosaic[::2, ::2], mosaic[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
        cv2.imwrite(
            str(root / f'huawei_raw/{seed}.png'), (63 + mosaic * (1020 - 63)).round().astype(np.uint16)
        )
        cv2.imwrite(str(root / f'canon/{seed}.png'), (moved[..., ::-1] * 255).round().astype(np.uint8))
    return root


@pytest.fixture(scope='module')
def aligners():
    return {'none': IdentityAligner(), 'raw + dis': FlowAligner(DISFlow(), reference='raw')}


def test_measures_pairs_and_writes_a_page(folder, aligners, tmp_path):
    settings = RealPairSettings(str(folder), shifts=(1.0, 2.0))
    pairs = read_pairs(settings)
    rows = measure_pairs(aligners, pairs, settings)
    means = summary(rows)
    assert means['none']['gain'] == 0
    assert means['raw + dis']['least_gain'] > 3
    assert means['raw + dis']['shift_median'] < 0.3 < means['none']['shift_median']
    assert means['raw + dis']['displacement'] == pytest.approx(1.5, abs=0.2)
    assert means['raw + dis']['below 1 px'] < 0.3 < 0.9 < means['raw + dis']['below 2 px']
    assert means['raw + dis']['gap'] < 0.3
    assert set(COLUMNS) <= set(means['none'])
    control = separation(wrong_scenes(aligners['raw + dis'], pairs), settings.unlike)
    assert (control['area'], control['flagged at 1%'], control['false_alarms']) == (1, 1, 0)
    shown = [(pair, align(aligners['raw + dis'], pair)) for pair in pairs]
    write_page(tmp_path, rows, shown, 'raw + dis', control)
    page = (tmp_path / 'index.html').read_text()
    assert all(f'src="{pair.name}/warped.png"' in page for pair in pairs)
    assert (tmp_path / '0/flow.png').is_file()


def test_agreement_is_high_in_other_colours_and_low_on_other_content():
    torch.manual_seed(0)
    source, other = torch.rand(2, 1, 3, 64, 64)
    mask, coord = torch.ones(1, 1, 64, 64), coord_map(64, 64)[None]
    assert agreement(source, 0.8 * source + 0.1, mask, coord) > 50
    assert agreement(source, other, mask, coord) < 12


def test_likeness_ignores_exposure_but_not_another_scene():
    images = [torch.from_numpy(scene(seed)).permute(2, 0, 1)[None] for seed in (0, 1)]
    mask = torch.ones(1, 1, SIZE, SIZE)
    assert likeness(images[0], 0.5 * images[0] + 0.2, mask) == pytest.approx(1, abs=0.01)
    assert abs(likeness(*images, mask)) < 0.2


def test_a_perfect_aligner_gives_the_known_shift_back():
    """Against fields whose composition is known in closed form: both photos are shifted by a constant."""
    before = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 32, 40)
    shift = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1).expand(1, 2, 32, 40)
    assert shift_error(before, before - shift, shift).max() < 1e-5
    assert shift_error(before, before, shift).median() == pytest.approx(math.hypot(0.5, 0.25))


def test_the_known_shift_is_smooth_and_as_long_as_asked():
    field = known_shift((64, 80), 3.0, seed=1)
    assert field.norm(dim=1).max() == pytest.approx(3, abs=1e-4)
    assert field.diff(dim=3).abs().max() < 0.4
    assert not torch.equal(field, known_shift((64, 80), 3.0, seed=2))
    moved = backward_warp(torch.rand(1, 3, 64, 80), field)[0]
    assert moved.shape == (1, 3, 64, 80)


def test_no_gap_without_a_flow(folder, aligners):
    pair = read_pairs(RealPairSettings(str(folder), limit=1))[0]
    assert math.isnan(return_gap(aligners['none'], pair, align(aligners['none'], pair)))


def test_errors_name_the_file(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='expected PNG or JPEG files, found none'):
        read_pairs(RealPairSettings(str(tmp_path)))
    with pytest.raises(ValueError, match='levels: expected'):
        RealPairSettings(str(folder), black_level=1020, white_level=63)
    (tmp_path / 'huawei_raw').mkdir()
    (tmp_path / 'canon').mkdir()
    (tmp_path / 'huawei_raw/1.png').write_bytes((folder / 'huawei_raw/1.png').read_bytes())
    (tmp_path / 'canon/2.png').write_bytes((folder / 'canon/2.png').read_bytes())
    with pytest.raises(FileNotFoundError, match="found one of '1'"):
        read_pairs(RealPairSettings(str(tmp_path)))
