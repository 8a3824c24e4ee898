"""The reference that loading is measured against does the same work as the toolbox."""

import cv2
import torch
from conftest import SIDE
from torch.utils.data import default_collate

from rawtoolbox.benchmarks.speed.loader import ReferencePairs, load, one_core
from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.models import RawPreprocessor


def test_reference_loads_what_the_preprocessor_makes(demo_data):
    files = ZRRDataset(demo_data, 'train', SIDE, names=3)
    ours = RawPreprocessor(demosaic_border='official')(default_collate([files[i] for i in range(3)]))
    reference = load(ReferencePairs(files, augment=False))
    # Ours lets values below black through; the reference clips them first.
    assert torch.allclose(reference['raw'], ours['inputs']['raw'].clamp(min=0), atol=1e-6)
    bright = ours['inputs']['source'] > 0.05  # nearer black it shows
    assert torch.allclose(reference['source'][bright], ours['inputs']['source'][bright], atol=1e-2)
    assert (reference['source'] - ours['inputs']['source'])[bright].abs().median() < 1e-6
    assert torch.equal(reference['target'], ours['data_samples']['target'])
    assert torch.equal(reference['coord'], ours['inputs']['source_coord'])


def test_flips_are_drawn(demo_data):
    reference = ReferencePairs(ZRRDataset(demo_data, 'train', SIDE, names=1))
    images = [reference[0]['target'] for _ in range(20)]
    assert len({tuple(image[:, 0, 0].tolist()) for image in images}) > 1
    assert len({tuple(image.flatten().sort()[0][::999].tolist()) for image in images}) == 1


def test_threads_are_given_back():
    before = cv2.getNumThreads(), torch.get_num_threads()
    with one_core():
        assert torch.get_num_threads() == 1
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before
