import itertools

import numpy as np
import pytest
import torch
from golden_tools import load

from rawtoolbox.ops.bayer import (
    CFA_PATTERNS,
    bayer_mosaic,
    cfa_sites,
    pack_mosaic,
    parse_cfa,
    rephase_offset,
    rephase_to_rggb,
    unpack_mosaic,
)
from rawtoolbox.ops.levels import normalize_levels

SITE_VALUES = {'R': 1.0, 'Gr': 2.0, 'Gb': 3.0, 'B': 4.0}
TILES = {'RGGB': [1, 2, 3, 4], 'BGGR': [4, 3, 2, 1], 'GRBG': [2, 1, 4, 3], 'GBRG': [3, 4, 1, 2]}


@pytest.fixture
def rgb():
    return torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('cfa', CFA_PATTERNS)
def test_sites_and_planes_of_every_pattern_by_hand(cfa):
    mosaic = torch.tensor(TILES[cfa], dtype=torch.float32).view(1, 1, 2, 2).tile(2, 3)
    assert [SITE_VALUES[site] for site in cfa_sites(cfa)] == TILES[cfa]
    packed = pack_mosaic(mosaic, cfa)
    for plane, site in enumerate(('B', 'Gr', 'R', 'Gb')):
        assert (packed[:, plane] == SITE_VALUES[site]).all()


@pytest.mark.parametrize('cfa', CFA_PATTERNS)
def test_unpacking_inverts_packing_for_every_order(cfa):
    mosaic = torch.randint(0, 1024, (2, 1, 6, 4), dtype=torch.int32).to(torch.uint16)
    for order in itertools.permutations(('R', 'Gr', 'Gb', 'B')):
        restored = unpack_mosaic(pack_mosaic(mosaic, cfa, order), cfa, order)
        assert restored.dtype == torch.uint16
        assert torch.equal(restored, mosaic)


def test_packing_agrees_with_the_official_loaders():
    golden = load('preprocess').arrays
    mosaic = torch.from_numpy(golden['in.mosaic'])[None, None]
    zurich = pack_mosaic(normalize_levels(mosaic))[0]
    assert np.array_equal(zurich.numpy(), golden['zrr.extract_bayer_channels'])
    assert np.array_equal(zurich.permute(1, 2, 0).numpy(), golden['mw.extract_bayer_channels_hwc'])
    undarkened = pack_mosaic(normalize_levels(mosaic, subtract_black=False))[0].permute(1, 2, 0).numpy()
    assert np.array_equal(undarkened, golden['pynet.extract_bayer_channels_hwc'])
    assert np.array_equal(undarkened, golden['awnet4.extract_bayer_channels_hwc'])


def test_sr_raw_packs_clockwise():
    golden = load('preprocess').arrays
    mosaic = torch.from_numpy(golden['zlz.in.mosaic14'])[None, None]
    packed = pack_mosaic(normalize_levels(mosaic, 512, 16383), order=('R', 'Gr', 'B', 'Gb'))
    assert np.array_equal(packed[0].numpy(), golden['srraw.raw_chw'])


@pytest.mark.parametrize('cfa', CFA_PATTERNS)
def test_mosaic_samples_the_colour_that_the_pattern_names(rgb, cfa):
    mosaic = bayer_mosaic(rgb, cfa)
    for y, x in itertools.product(range(8), range(12)):
        colour = 'RGB'.index(cfa[2 * (y % 2) + x % 2])
        assert torch.equal(mosaic[:, 0, y, x], rgb[:, colour, y, x])


def test_rolling_a_mosaic_by_a_pixel_gives_the_other_pattern(rgb):
    rolled = bayer_mosaic(rgb.roll(1, dims=-1), 'GRBG')
    assert torch.equal(bayer_mosaic(rgb, 'RGGB').roll(1, dims=-1), rolled)


@pytest.mark.parametrize('cfa', CFA_PATTERNS)
def test_rephased_mosaic_is_the_rggb_mosaic_of_the_cropped_image(rgb, cfa):
    mosaic = rephase_to_rggb(bayer_mosaic(rgb, cfa), cfa)
    image = rephase_to_rggb(rgb, cfa)
    assert torch.equal(mosaic, bayer_mosaic(image, 'RGGB'))
    dy, dx = rephase_offset(cfa)
    assert mosaic.shape[-2:] == (8 - 2 * dy, 12 - 2 * dx)
    assert torch.equal(image, rgb[..., dy : 8 - dy, dx : 12 - dx])


@pytest.mark.parametrize('cfa', CFA_PATTERNS)
def test_rephasing_crops_a_larger_target_likewise(cfa):
    small = np.arange(7 * 9).reshape(7, 9)
    large = small.repeat(3, axis=0).repeat(3, axis=1)
    cropped = rephase_to_rggb(small, cfa)
    assert isinstance(cropped, np.ndarray)
    assert cropped.shape[0] % 2 == cropped.shape[1] % 2 == 0
    assert np.array_equal(rephase_to_rggb(large, cfa, scale=3)[1::3, 1::3], cropped)


def test_offsets_by_hand():
    assert [rephase_offset(cfa) for cfa in CFA_PATTERNS] == [(0, 0), (1, 1), (0, 1), (1, 0)]


def test_packing_and_sampling_are_differentiable(rgb):
    rgb.requires_grad_()
    pack_mosaic(bayer_mosaic(rgb, 'GBRG'), 'GBRG').sum().backward()
    assert rgb.grad.sum() == 2 * 8 * 12  # each pixel of the mosaic is one sample


def test_names_are_read_in_either_case_and_wrong_ones_get_a_suggestion():
    assert parse_cfa('grbg') == 'GRBG'
    with pytest.raises(
        ValueError, match=r"RGGB, BGGR, GRBG, GBRG, found 'RGBG'\. Did you mean RGGB or GRBG\?"
    ):
        parse_cfa('RGBG')
    with pytest.raises(ValueError, match=r"found 'xtrans'\.$"):
        parse_cfa('xtrans')


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r'mosaic: expected an even height and width, found 5x4\. Crop'):
        pack_mosaic(torch.zeros(1, 1, 5, 4))
    with pytest.raises(ValueError, match=r'rgb: expected an even height and width, found 4x3'):
        bayer_mosaic(torch.zeros(1, 3, 4, 3))
    with pytest.raises(ValueError, match=r'mosaic: expected the shape \(N 1 H W\), found \(1 3 4 4\)'):
        pack_mosaic(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match=r'order: expected a permutation of R, Gr, Gb, B, found R, G, G, B'):
        pack_mosaic(torch.zeros(1, 1, 4, 4), order=('R', 'G', 'G', 'B'))
