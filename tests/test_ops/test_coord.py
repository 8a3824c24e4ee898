import pytest
import torch
from golden_tools import load

from rawtoolbox.ops.coord import batch_coord_maps, coord_map, pack_coord


def test_pixel_centres_by_hand():
    x, y = coord_map(2, 4)
    assert x.tolist() == [[-0.75, -0.25, 0.25, 0.75]] * 2
    assert y.tolist() == [[-0.5] * 4, [0.5] * 4]


def test_patch_relative_map_is_that_of_the_official_release():
    expected = torch.from_numpy(load('preprocess').arrays['zrr.get_coord_16x24_x1y1'])
    assert torch.allclose(coord_map(16, 24), expected, rtol=0, atol=1e-7)


def test_map_in_the_middle_of_the_frame_is_the_official_default():
    frame = (16 * 2976 / 448, 24 * 3968 / 448)  # the Zurich frame, were its patches 16x24
    expected = torch.from_numpy(load('preprocess').arrays['zrr.get_coord_16x24_default'])
    found = coord_map(16, 24, origin=((frame[0] - 16) / 2, (frame[1] - 24) / 2), frame_size=frame)
    assert torch.allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize('seed', range(5))
def test_a_patch_has_the_slice_of_its_frames_map(seed):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (), generator=generator))  # noqa: E731
    height, width = draw(30, 90), draw(30, 90)
    top, left = draw(0, 15), draw(0, 15)
    patch = coord_map(12, 14, (top, left), (height, width))
    assert torch.equal(patch, coord_map(height, width)[:, top : top + 12, left : left + 14])


def test_a_frame_spans_minus_one_to_one_symmetrically():
    frame = coord_map(5, 7, dtype=torch.float64)
    assert torch.allclose(frame, -frame.flip(-1, -2), atol=1e-15)
    assert frame[0, 0, 0].item() == pytest.approx(-1 + 1 / 7)


def test_batch_holds_each_patchs_map():
    origins, frames = torch.tensor([[0, 0], [4, 10]]), torch.tensor([[8, 6], [20, 40]])
    maps = batch_coord_maps(8, 6, origins, frames)
    assert maps.shape == (2, 2, 8, 6)
    assert maps.dtype == torch.float32
    assert torch.equal(maps[0], coord_map(8, 6))
    assert torch.equal(maps[1], coord_map(8, 6, (4, 10), (20, 40)))


def test_packed_map_is_that_of_half_the_resolution():
    packed = pack_coord(coord_map(8, 12, (2, 6), (40, 60))[None])
    assert torch.allclose(packed[0], coord_map(4, 6, (1, 3), (20, 30)), atol=1e-7)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r'origins: expected the shape \(N 2\), found \(2\)'):
        batch_coord_maps(4, 4, torch.zeros(2), torch.ones(1, 2))
    with pytest.raises(ValueError, match=r'frame_sizes: expected positive sizes, found \[\[0.0, 4.0\]\]'):
        coord_map(4, 4, frame_size=(0, 4))
    with pytest.raises(ValueError, match='coord: expected an even height and width, found 3x4'):
        pack_coord(torch.zeros(1, 2, 3, 4))
