import numpy as np
import pytest
import torch
from golden_tools import assert_close, expected64, inputs, load
from scipy import ndimage

from rawtoolbox.ops.warp import (
    backward_warp,
    forward_backward_mask,
    resize_flow,
    valid_mask,
    warp_with_mask,
)


def constant_flow(x, y, height, width, dtype=torch.float32):
    return torch.tensor([x, y], dtype=dtype).view(1, 2, 1, 1).expand(1, 2, height, width)


def shifted(image, dx, dy):
    """image(p + (dx, dy)) with zeros outside, by slices."""
    height, width = image.shape[-2:]
    result = torch.zeros_like(image)
    rows = slice(max(0, -dy), min(height, height - dy)), slice(max(0, dy), min(height, height + dy))
    columns = slice(max(0, -dx), min(width, width - dx)), slice(max(0, dx), min(width, width + dx))
    result[..., rows[0], columns[0]] = image[..., rows[1], columns[1]]
    return result


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(('size', 'shift'), [((448, 448), (20, -7)), ((37, 53), (-5, 11)), ((1, 9), (3, 0))])
def test_whole_pixels_move_exactly(size, shift, dtype):
    image = torch.rand(1, 3, *size, dtype=dtype)
    warped, coverage = backward_warp(image, constant_flow(*shift, *size, dtype))
    assert torch.equal(warped, shifted(image, *shift))
    assert torch.equal(coverage, shifted(torch.ones(1, 1, *size, dtype=dtype), *shift))


def test_fractions_agree_with_scipy():
    generator = np.random.default_rng(3)
    image, flow = generator.random((2, 19, 23)), generator.normal(0, 6, (2, 19, 23))
    y, x = np.mgrid[:19, :23] + flow[::-1]
    warped, _ = backward_warp(torch.from_numpy(image)[None], torch.from_numpy(flow)[None])
    for plane in range(2):
        # SciPy sets what is beyond the edge sample to zero at once: give it a frame of zeros to fade into.
        framed = np.pad(image[plane], 1)
        expected = ndimage.map_coordinates(framed, [y + 1, x + 1], order=1, mode='constant')
        assert np.abs(warped[0, plane].numpy() - expected).max() < 1e-12


def test_agrees_with_grid_sample():
    image, flow = torch.rand(2, 3, 17, 32).double(), 4 * torch.randn(2, 2, 17, 32).double()
    y, x = torch.meshgrid(torch.arange(17), torch.arange(32), indexing='ij')
    grid = torch.stack([(x + flow[:, 0] + 0.5) / 16 - 1, (y + flow[:, 1] + 0.5) / 8.5 - 1], dim=-1)
    expected = torch.nn.functional.grid_sample(image, grid, align_corners=False)
    assert torch.allclose(backward_warp(image, flow)[0], expected, atol=1e-12)


def test_coverage_is_the_warp_of_ones():
    flow = 5 * torch.randn(2, 2, 11, 13, dtype=torch.float64)
    ones = torch.ones(2, 1, 11, 13, dtype=torch.float64)
    warped, coverage = backward_warp(ones, flow)
    assert torch.allclose(warped, coverage, atol=1e-12)
    assert ((coverage >= 0) & (coverage <= 1)).all()


def test_a_constant_stays_exact_inside():
    image = torch.full((1, 1, 16, 16), 0.1)
    warped, mask = warp_with_mask(image, 2 * torch.randn(1, 2, 16, 16))
    assert torch.equal(warped, image * mask)
    assert mask.unique().tolist() == [0, 1]


@pytest.mark.parametrize('far', [1e3, 1e9, -1e20])
def test_far_outside_is_zero(far):
    warped, coverage = backward_warp(torch.ones(1, 2, 5, 6), constant_flow(far, 0.5, 5, 6))
    assert warped.abs().max() == 0
    assert coverage.abs().max() == 0


def test_not_a_number_is_not_valid():
    _, coverage = backward_warp(torch.ones(1, 1, 5, 6), constant_flow(float('nan'), 0, 5, 6))
    assert valid_mask(coverage).abs().max() == 0


def test_gradients_are_right():
    generator = torch.Generator().manual_seed(4)
    image = torch.rand(2, 2, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    flow = (torch.randn(2, 2, 4, 5, dtype=torch.float64, generator=generator) * 2).requires_grad_()
    assert torch.autograd.gradcheck(backward_warp, (image, flow))


def test_half_precision_image_is_rounded_once():
    image, flow = torch.rand(1, 3, 9, 9).to(torch.bfloat16), torch.randn(1, 2, 9, 9)
    warped, coverage = backward_warp(image, flow)
    assert warped.dtype == coverage.dtype == torch.bfloat16
    assert torch.equal(warped, backward_warp(image.float(), flow)[0].to(torch.bfloat16))


@pytest.mark.parametrize('case', ['c0', 'c1', 'c2'])
def test_official_scaling_agrees_with_the_official_code(case):
    golden = load('flow_wrapper')
    given, expected = inputs(golden, case), expected64(golden, case)
    flow = given.get('flow', expected.get('flow'))
    result = torch.cat(backward_warp(given['second'], flow, scaling='official'), dim=1)
    assert_close(result, expected['backwarp_second'])
    _, mask = warp_with_mask(given['second'].float(), flow.float(), scaling='official')
    assert np.array_equal(mask.numpy(), golden.arrays[f'{case}.out.mask'])
    warped, _ = warp_with_mask(given['second'], flow, scaling='official')
    assert (
        np.abs(warped.numpy() - golden.arrays[f'{case}.out.warped']).max() < 2e-5
    )  # stored from a float32 run


def test_official_scaling_moves_too_far():
    image = torch.arange(64.0, dtype=torch.float64).expand(1, 1, 3, 64)
    flow = constant_flow(20, 0, 3, 64, torch.float64)
    warped, _ = backward_warp(image, flow, scaling='official')
    assert warped[0, 0, 0, 0].item() == pytest.approx(20 * 64 / 63)
    with pytest.raises(ValueError, match=r"scaling: expected 'pixel' or 'official', found 'grid'"):
        backward_warp(image, flow, scaling='grid')


def test_mask_takes_a_pixel_that_lies_inside_but_for_eps():
    coverage = torch.tensor([0.0, 0.5, 0.9985, 0.9995, 1.0])
    assert valid_mask(coverage).tolist() == [0, 0, 0, 1, 1]
    assert valid_mask(coverage, eps=0.5).tolist() == [0, 1, 1, 1, 1]


def test_resized_flow_keeps_its_meaning():
    flow = torch.stack([torch.full((1, 6, 8), 2.0), torch.full((1, 6, 8), -3.0)], dim=1)
    larger = resize_flow(flow, (24, 16))
    assert larger.shape == (1, 2, 24, 16)
    assert (larger[:, 0] == 4).all()
    assert (larger[:, 1] == -12).all()
    assert torch.allclose(resize_flow(larger, (6, 8)), flow)


def test_consistent_flows_are_trusted_where_they_stay_inside():
    forward, backward = constant_flow(3, 0, 8, 12), constant_flow(-3, 0, 8, 12)
    mask = forward_backward_mask(forward, backward)
    assert (mask[..., :9] == 1).all()
    assert (mask[..., 9:] == 0).all()


def test_inconsistent_flows_are_not_trusted():
    backward = constant_flow(-3, 0, 8, 12).clone()
    backward[..., 4:8] = 2  # seen at p + 3: columns 1 to 4
    mask = forward_backward_mask(constant_flow(3, 0, 8, 12), backward)
    assert mask[0, 0, 0].tolist() == [1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    tolerated = forward_backward_mask(constant_flow(0.4, 0, 8, 12), constant_flow(0, 0, 8, 12))
    assert tolerated[0, 0, 0].tolist() == [1] * 11 + [0]  # the last comes partly from outside


def test_wrong_shapes_are_named():
    image = torch.zeros(2, 3, 8, 8)
    with pytest.raises(ValueError, match=r'flow: expected the shape \(2 2 _ _\), found \(1 2 8 8\)'):
        backward_warp(image, torch.zeros(1, 2, 8, 8))
    with pytest.raises(ValueError, match='image is 8x8 and flow 4x4 pixels'):
        backward_warp(image, torch.zeros(2, 2, 4, 4))
