import numpy as np
import pytest
import torch
from golden_tools import assert_close, load
from scipy import ndimage

from rawtoolbox.ops.bayer import bayer_mosaic, pack_mosaic, unpack_mosaic
from rawtoolbox.ops.demosaic import GREEN_KERNEL, RED_BLUE_KERNEL, demosaic_bilinear, resize_planes
from rawtoolbox.ops.levels import normalize_levels


def scipy_demosaic(mosaic, mode):
    """Zero-filled planes filtered by SciPy; its 'mirror' leaves the edge sample single, 'reflect' repeats it."""
    planes = []
    for colour, kernel in (('R', RED_BLUE_KERNEL), ('G', GREEN_KERNEL), ('B', RED_BLUE_KERNEL)):
        plane = np.zeros_like(mosaic)
        for place, site in enumerate('RGGB'):
            if site == colour:
                y, x = divmod(place, 2)
                plane[y::2, x::2] = mosaic[y::2, x::2]
        planes.append(ndimage.convolve(plane, np.array(kernel), mode=mode))
    return np.stack(planes)


@pytest.fixture
def mosaic():
    return torch.rand(2, 1, 10, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(('border', 'mode'), [('reflect', 'mirror'), ('official', 'reflect')])
def test_agrees_with_scipy_everywhere(mosaic, border, mode):
    image = demosaic_bilinear(mosaic, border)
    expected = np.stack([scipy_demosaic(plane[0].numpy(), mode) for plane in mosaic])
    assert_close(image, torch.from_numpy(expected), rtol=1e-12)


def test_official_border_agrees_with_the_official_code():
    golden = load('preprocess').arrays
    linear = torch.from_numpy(golden['zrr.remove_black_level'])[None, None]
    assert_close(demosaic_bilinear(linear, 'official')[0], torch.from_numpy(golden['zrr.get_raw_demosaic']))
    exact = demosaic_bilinear(linear.double(), 'official')[0].permute(1, 2, 0)
    assert_close(exact, torch.from_numpy(golden['zrr.get_raw_demosaic_f64']), rtol=1e-12)
    raw = unpack_mosaic(torch.from_numpy(golden['srraw.raw_chw'])[None], order=('R', 'Gr', 'B', 'Gb'))
    assert_close(demosaic_bilinear(raw, 'official')[0], torch.from_numpy(golden['srraw.raw_demosaic_chw']))


def test_borders_differ_on_the_outermost_pixels_only(mosaic):
    difference = demosaic_bilinear(mosaic) - demosaic_bilinear(mosaic, 'official')
    assert difference[..., 1:-1, 1:-1].abs().max() < 1e-14
    assert difference.abs().max() > 0.1


def test_a_constant_stays_constant_unless_official():
    grey = torch.full((1, 1, 6, 8), 0.3, dtype=torch.float64)
    assert torch.allclose(demosaic_bilinear(grey), torch.tensor(0.3, dtype=torch.float64), atol=1e-15)
    official = demosaic_bilinear(grey, 'official') / 0.3
    assert official.min().item() == pytest.approx(0.25)
    assert official.max().item() == pytest.approx(2.25)


def test_a_ramp_is_reproduced_inside():
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(10.0), indexing='ij')
    ramp = (2 * x + 3 * y).expand(1, 3, 8, 10)
    image = demosaic_bilinear(bayer_mosaic(ramp))
    assert torch.allclose(image[..., 1:-1, 1:-1], ramp[..., 1:-1, 1:-1])


@pytest.mark.parametrize('border', ['reflect', 'official'])
def test_samples_survive_inside(mosaic, border):
    again = bayer_mosaic(demosaic_bilinear(mosaic, border))
    assert torch.equal(again[..., 1:-1, 1:-1], mosaic[..., 1:-1, 1:-1])


def test_samples_survive_at_the_border_too(mosaic):
    assert torch.equal(bayer_mosaic(demosaic_bilinear(mosaic)), mosaic)


def test_the_smallest_mosaic():
    mosaic = torch.tensor([[1.0, 2.0], [4.0, 8.0]]).view(1, 1, 2, 2)
    red, green, blue = demosaic_bilinear(mosaic)[0]
    assert (red == 1).all()
    assert torch.equal(green, torch.tensor([[3.0, 2.0], [4.0, 3.0]]))
    assert (blue == 8).all()


@pytest.mark.parametrize('border', ['reflect', 'official'])
def test_gradients_are_right(border):
    mosaic = torch.rand(1, 1, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda image: demosaic_bilinear(image, border), mosaic)


@pytest.mark.parametrize('border', ['reflect', 'official'])
def test_types_and_memory_formats(mosaic, border):
    expected = demosaic_bilinear(mosaic, border)
    low = demosaic_bilinear(mosaic.to(torch.bfloat16), border)
    assert low.dtype == torch.bfloat16
    assert (low.double() - expected).abs().max() < 0.02
    packed = pack_mosaic(mosaic).to(memory_format=torch.channels_last)
    assert torch.equal(demosaic_bilinear(unpack_mosaic(packed), border), expected)


@pytest.mark.parametrize('border', ['reflect', 'official'])
def test_autocast_leaves_the_precision(mosaic, border):
    with torch.autocast('cpu', torch.bfloat16):
        image = demosaic_bilinear(mosaic.float(), border)
    assert torch.equal(image, demosaic_bilinear(mosaic.float(), border))


def test_can_be_trained_through_after_inference(mosaic):
    with torch.inference_mode():
        demosaic_bilinear(mosaic.clone())
    mosaic.requires_grad_()
    demosaic_bilinear(mosaic).sum().backward()
    assert torch.isfinite(mosaic.grad).all()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"border: expected 'reflect' or 'official', found 'wrap'"):
        demosaic_bilinear(torch.zeros(1, 1, 4, 4), 'wrap')
    with pytest.raises(
        ValueError, match=r'mosaic: expected floating point, found torch.uint16\. Call normalize'
    ):
        demosaic_bilinear(torch.zeros(1, 1, 4, 4, dtype=torch.uint16))
    with pytest.raises(ValueError, match='even height and width, found 4x5'):
        demosaic_bilinear(torch.zeros(1, 1, 4, 5))


def test_enlarged_planes_agree_with_the_official_code():
    golden = load('preprocess').arrays
    image = resize_planes(torch.from_numpy(golden['in.mosaic'])[None, None])[0]
    assert np.array_equal(image.numpy(), golden['awnet3.network_input_chw'])
    eight_bit = (image * 255).round().to(torch.uint8).permute(1, 2, 0)
    assert np.array_equal(eight_bit.numpy(), golden['awnet3.saved_png_rgb_hwc_uint8'])


def test_enlarged_planes_by_hand():
    tile = torch.tensor([[765, 300], [306, 1023]]).view(1, 1, 2, 2)
    image = resize_planes(tile.tile(2, 2))
    assert image.dtype == torch.float32
    expected = torch.tensor([1, 101 / 255, 1])  # green (300 + 306) / 2 / 3; blue above 765 saturates
    assert torch.equal(image, expected.view(1, 3, 1, 1).expand(1, 3, 4, 4))
    assert torch.equal(resize_planes(normalize_levels(tile, 0, 1)), resize_planes(tile))
