"""Simulated raws of photographs."""

import cv2
import numpy as np
import pytest
import torch

from rawtoolbox.datasets import PhotographRawDataset
from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.simulation.camera_table import COLOUR_MATRICES, SRGB_TO_XYZ, colour_matrix, illuminant_xyz


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = cv2.resize(rng.integers(0, 255, (12, 12, 3), np.uint8), (200, 160))
        cv2.imwrite(str(tmp_path / f'{number}.png'), pixels)
    return tmp_path


def test_a_patch_is_a_function_of_seed_and_index(folder):
    first, again, other = (PhotographRawDataset(folder, size=32, seed=seed)[5] for seed in (0, 0, 1))
    assert torch.equal(first['inputs']['mosaic'], again['inputs']['mosaic'])
    assert not torch.equal(first['inputs']['mosaic'], other['inputs']['mosaic'])


def test_the_mosaic_is_the_target_with_the_noise_that_is_told(folder):
    dataset = PhotographRawDataset(folder, size=64)
    ratios = []
    for item in (dataset[index] for index in range(40)):
        target, (shot, read) = item['data_samples']['target'], item['inputs']['noise'].tolist()
        assert target.min() >= 0 and target.max() <= 1
        clean = bayer_mosaic(target[None])
        variance = shot * clean + read + 1e-7
        ratios.append(((item['inputs']['mosaic'] - clean).square() / variance).median().item())
    assert np.median(ratios) == pytest.approx(0.455, abs=0.08)  # median of chi-squared with one degree


def test_splits_share_no_photograph(folder):
    counts = [len(PhotographRawDataset(folder, split, size=32).photographs) for split in ('train', 'val')]
    assert counts == [2, 1]


def test_a_black_body_of_6500_k_is_near_daylight():
    assert illuminant_xyz(6500) == pytest.approx(SRGB_TO_XYZ.sum(1), abs=0.05)
    assert all((colour_matrix(name) @ illuminant_xyz(5000) > 0).all() for name in COLOUR_MATRICES)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='expected photographs'):
        PhotographRawDataset(tmp_path)
