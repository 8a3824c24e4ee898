"""RAFT: torchvision's network for images of any size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rawtoolbox.files.flow import read_flo
from rawtoolbox.flow import RAFT
from rawtoolbox.flow.raft import padded_length
from rawtoolbox.registry import FLOW_ESTIMATORS

SHARED = Path(__file__).parents[3] / 'shared'
WEIGHTS, VENUS = SHARED / 'weights/raft_small.safetensors', SHARED / 'data/flow/Venus'


@pytest.fixture(scope='module')
def untrained():
    torch.manual_seed(0)
    return RAFT(weights=None, num_updates=1).eval()


def test_error_on_middlebury():
    if not (WEIGHTS.is_file() and VENUS.is_dir()):
        pytest.skip(f'needs raft_small.safetensors and Venus of Middlebury in {SHARED}')
    images = [cv2.imread(VENUS / name, cv2.IMREAD_COLOR_RGB) for name in ('frame10.png', 'frame11.png')]
    first, second = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 for image in images)
    truth, valid = read_flo(VENUS / 'flow10.flo')
    flow = RAFT('small', WEIGHTS)(first, second)[0].numpy()
    assert np.hypot(*(flow - truth))[valid[0] > 0].mean() == pytest.approx(0.355, abs=0.01)


@pytest.mark.parametrize(('length', 'padded'), [(16, 128), (128, 128), (129, 136), (200, 200)])
def test_padded_length(length, padded):
    assert padded_length(length) == padded


def test_any_size_and_type(untrained):
    first, second = torch.rand(2, 2, 3, 37, 131)
    flow = untrained(first, second)
    assert flow.shape == (2, 2, 37, 131) and flow.isfinite().all() and not flow.requires_grad
    double = untrained.to(torch.float64)(first.double(), second.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), flow)


def test_padding_goes_on_with_the_border(untrained):
    """Images that were continued by hand give the same."""
    first, second = torch.rand(2, 1, 3, 120, 128)
    longer = (torch.cat([image, image[..., -1:, :].expand(-1, -1, 8, -1)], 2) for image in (first, second))
    torch.testing.assert_close(untrained(first, second), untrained(*longer)[..., :120, :])


def test_constant_images_and_nan(untrained):
    flat = torch.full((1, 3, 64, 64), 0.5)
    assert untrained(flat, flat).isfinite().all()
    assert untrained(flat * torch.nan, flat).isnan().any()  # not a number that looks like a flow


def test_weights_are_found_by_name(untrained, tmp_path, monkeypatch):
    half = {name: value.half().contiguous() for name, value in untrained.network.state_dict().items()}
    save_file(half, tmp_path / 'raft_small_fp16.safetensors')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    found = FLOW_ESTIMATORS.build({'type': 'RAFT', 'num_updates': 3}).network.state_dict()
    for name, value in found.items():
        torch.testing.assert_close(value, half[name].float())


def test_says_what_is_wrong(untrained, tmp_path, monkeypatch):
    image = torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match="size is one of small, large, found 'tiny'"):
        RAFT('tiny')
    with pytest.raises(ValueError, match='num_updates is at least 1, found 0'):
        RAFT(num_updates=0)
    with pytest.raises(ValueError, match=r'second: expected the shape \(1 3 32 32\), found \(1 3 32 24\)'):
        untrained(image, image[..., :24])
    with pytest.raises(ValueError, match='at least 16x16 pixels, found 15x32: use larger crops'):
        untrained(image[..., :15, :], image[..., :15, :])
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'raft_small_C_T_V2-01064c6d\.pth.*DISFlow needs no file'):
        RAFT('small')
    with pytest.raises(FileNotFoundError, match=r'raft_large'):
        RAFT('large')
    save_file({'encoder.weight': torch.zeros(1)}, tmp_path / 'other.safetensors')
    with pytest.raises(ValueError, match='belong to another network'):
        RAFT('small', tmp_path / 'other.safetensors')
