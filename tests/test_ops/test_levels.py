import numpy as np
import pytest
import torch
from golden_tools import load

from rawtoolbox.ops.levels import normalize_levels


def test_values_by_hand():
    mosaic = torch.tensor([[0, 63, 1020], [1023, 302, 541]], dtype=torch.int32).to(torch.uint16)
    expected = torch.tensor([[0, 0, 1], [960 / 957, 239 / 957, 478 / 957]])
    image = normalize_levels(mosaic)
    assert image.dtype == torch.float32
    assert torch.equal(image, expected)
    assert torch.equal(normalize_levels(mosaic, clip=True), expected.clamp(max=1))


def test_agrees_with_the_official_code():
    golden = load('preprocess').arrays
    image = normalize_levels(torch.from_numpy(golden['in.mosaic']))
    assert np.array_equal(image.numpy(), golden['zrr.remove_black_level'])


@pytest.mark.parametrize('size', [(4, 6), (5, 7)])
def test_each_site_has_its_black_level(size):
    black = [60.0, 62.0, 64.0, 68.0]
    mosaic = torch.full((2, 1, *size), 100.0)
    image = normalize_levels(mosaic, black, 200)
    for place, level in enumerate(black):
        y, x = divmod(place, 2)
        expected = torch.tensor((100 - level) / (200 - level))
        assert torch.allclose(image[..., y::2, x::2], expected)
    assert image.shape == mosaic.shape


def test_four_equal_levels_are_one():
    mosaic = torch.rand(1, 1, 4, 4) * 1000
    assert torch.equal(normalize_levels(mosaic, [63, 63, 63, 63]), normalize_levels(mosaic, 63))


def test_without_black_only_white_counts():
    mosaic = torch.tensor([[0.0, 510.0], [1020.0, 63.0]])
    assert torch.equal(normalize_levels(mosaic, subtract_black=False), mosaic / 1020)


def test_keeps_a_floating_type():
    assert normalize_levels(torch.zeros(2, 2, dtype=torch.float64)).dtype == torch.float64


def test_wrong_levels_are_named():
    with pytest.raises(ValueError, match='black_level 1020 must be below white_level 1020'):
        normalize_levels(torch.zeros(2, 2), 1020, 1020)
    with pytest.raises(ValueError, match='black_level 90 must be below'):
        normalize_levels(torch.zeros(2, 2), [1, 2, 90, 3], 80)
    with pytest.raises(ValueError, match=r'one value or four \(2x2, row by row\), found 3'):
        normalize_levels(torch.zeros(2, 2), [1, 2, 3], 80)
