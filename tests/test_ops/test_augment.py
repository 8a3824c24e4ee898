import itertools

import pytest
import torch
import torch.nn.functional as F
from golden_tools import load

from rawtoolbox.ops.augment import dihedral, dihedral_bayer, random_crop_window, undo_dihedral_bayer
from rawtoolbox.ops.bayer import bayer_mosaic

ALL_FLIPS = list(itertools.product((False, True), repeat=3))


@pytest.fixture
def rgb():
    return torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize('flips', ALL_FLIPS)
def test_plain_flips_agree_with_the_official_code(flips):
    golden = load('preprocess').arrays
    packed = torch.from_numpy(golden['zrr.extract_bayer_channels'])[None]
    expected = golden['zrr.augment_hflip{:d}_vflip{:d}_rot90{:d}'.format(*flips)]
    assert torch.equal(dihedral(packed, *flips)[0], torch.from_numpy(expected))


@pytest.mark.parametrize('flips', ALL_FLIPS)
def test_mosaicking_commutes_with_the_flips_up_to_the_border(rgb, flips):
    assert torch.equal(bayer_mosaic(dihedral_bayer(rgb, *flips)), dihedral_bayer(bayer_mosaic(rgb), *flips))


def test_plain_flips_would_break_the_phase(rgb):
    flipped = dihedral(bayer_mosaic(rgb), hflip=True)
    assert not torch.equal(flipped, bayer_mosaic(dihedral(rgb, hflip=True)))


def test_flip_by_hand():
    row = torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 2, 6)
    assert dihedral_bayer(row, hflip=True)[0, 0, 0].tolist() == [4, 3, 2, 1, 0, 1]
    assert torch.equal(dihedral_bayer(row.mT, vflip=True), dihedral_bayer(row, hflip=True).mT)
    large = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 4, 8)
    assert dihedral_bayer(large, hflip=True, scale=2)[0, 0, 0].tolist() == [5, 4, 3, 2, 1, 0, 2, 3]


@pytest.mark.parametrize('flips', ALL_FLIPS)
@pytest.mark.parametrize('scale', [2, 3])
def test_a_larger_target_moves_with_the_mosaic(flips, scale):
    target = torch.rand(1, 3, 4 * scale, 6 * scale, dtype=torch.float64)
    moved = F.avg_pool2d(dihedral_bayer(target, *flips, scale=scale), scale)
    assert torch.allclose(moved, dihedral_bayer(F.avg_pool2d(target, scale), *flips), atol=1e-12)


@pytest.mark.parametrize('flips', ALL_FLIPS)
@pytest.mark.parametrize('scale', [1, 2])
def test_undoing_restores_every_pixel_that_was_kept(rgb, flips, scale):
    restored, valid = undo_dihedral_bayer(dihedral_bayer(rgb, *flips, scale=scale), *flips, scale=scale)
    assert torch.equal(restored, rgb * valid)
    hflip, vflip, _ = flips
    assert valid.shape == (2, 1, 8, 12)
    assert valid[0].sum().item() == (8 - scale * vflip) * (12 - scale * hflip)


@pytest.mark.parametrize('flips', ALL_FLIPS)
def test_shapes_types_and_gradients(rgb, flips):
    rgb.requires_grad_()
    image = dihedral_bayer(rgb, *flips)
    assert image.shape == ((2, 3, 12, 8) if flips[2] else (2, 3, 8, 12))
    undo_dihedral_bayer(image, *flips)[0].sum().backward()
    assert set(rgb.grad.unique().tolist()) <= {0.0, 1.0}
    mosaic = torch.zeros(1, 1, 4, 4, dtype=torch.int32)
    assert dihedral_bayer(mosaic, *flips).dtype == torch.int32


def test_windows_are_even_inside_and_reach_every_place():
    generator = torch.Generator().manual_seed(0)
    windows = {random_crop_window(11, 14, (6, 8), generator) for _ in range(300)}
    assert windows == {(top, left) for top in (0, 2, 4) for left in (0, 2, 4, 6)}


def test_windows_follow_their_generator():
    draws = [random_crop_window(500, 500, 64, torch.Generator().manual_seed(7)) for _ in range(2)]
    assert draws[0] == draws[1]
    assert random_crop_window(64, 64, 64) == (0, 0)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r'size: expected positive multiples of 2, found 7x7'):
        random_crop_window(16, 16, 7)
    with pytest.raises(ValueError, match=r'a crop of 32x32 does not fit into an image of 16x64'):
        random_crop_window(16, 64, 32)
    with pytest.raises(ValueError, match='a flipped side must be a multiple of 4 pixels, found 6'):
        dihedral_bayer(torch.zeros(1, 3, 6, 6), vflip=True, scale=2)
    with pytest.raises(ValueError, match='image: expected the shape'):
        dihedral(torch.zeros(3, 6, 6))
