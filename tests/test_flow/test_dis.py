"""DIS on images that were moved by a known amount."""

import numpy as np
import pytest
import torch
from skimage import data

from rawtoolbox.flow.dis import DISFlow, local_contrast
from rawtoolbox.ops.colour import gamma_encode


@pytest.fixture(scope='module')
def photograph():
    return torch.from_numpy(data.astronaut()[100:260, 100:280] / 255).permute(2, 0, 1).float()[None]


def moved(image, dx, dy, margin=12):
    """A crop, and the crop in which what was at p is found at p + (dx, dy)."""
    rows, columns = (slice(margin, side - margin) for side in image.shape[-2:])
    second = image[
        ..., margin - dy : image.shape[-2] - margin - dy, margin - dx : image.shape[-1] - margin - dx
    ]
    return image[..., rows, columns], second


def error(flow, dx, dy):
    """Mean end-point error away from the border, in pixels."""
    return (flow - torch.tensor([dx, dy]).view(2, 1, 1)).norm(dim=1)[..., 12:-12, 12:-12].mean()


@pytest.mark.parametrize(('preset', 'tolerance'), [('ultrafast', 0.4), ('fast', 0.15), ('medium', 0.15)])
@pytest.mark.parametrize(('dx', 'dy'), [(0, 0), (3, 0), (0, -2), (-5, 4)])
def test_finds_a_shift(photograph, preset, tolerance, dx, dy):
    flow = DISFlow(preset)(*moved(photograph, dx, dy))
    assert flow.shape == (1, 2, 136, 156)
    assert error(flow, dx, dy) < tolerance


def test_finds_it_in_a_raw(photograph):
    """Exposure, colour, transfer curve and contrast differ; plain luma does not do."""
    first, second = moved(photograph, 3, -2)
    first = gamma_encode(first**2.2 * torch.tensor([0.15, 0.3, 0.18]).view(3, 1, 1))
    second = 0.2 + 0.8 * second**1.3
    assert error(DISFlow()(first, second), 3, -2) < 0.15
    assert error(DISFlow(window=None)(first, second), 3, -2) > 0.3


def test_images_of_a_batch_do_not_meet(photograph):
    pairs = [moved(photograph, dx, 1) for dx in (-2, 0, 4)]
    first, second = (torch.cat(images) for images in zip(*pairs, strict=True))
    together = DISFlow()(first, second)
    for flow, pair in zip(together, pairs, strict=True):
        assert torch.equal(flow, DISFlow()(*pair)[0])


def test_type_and_gradient(photograph):
    first, second = moved(photograph.double().requires_grad_(), 1, 1)
    flow = DISFlow('fast')(first, second)
    assert flow.dtype == torch.float64 and not flow.requires_grad


def test_flat_images_do_not_move():
    assert not DISFlow()(torch.full((1, 3, 32, 32), 0.2), torch.full((1, 3, 32, 32), 0.7)).any()


def test_local_contrast_does_not_depend_on_exposure_or_black(photograph):
    luma = photograph[0, 1].numpy()
    contrast = local_contrast(luma, 6)
    np.testing.assert_allclose(local_contrast(0.3 + 0.4 * luma, 6), contrast, atol=1e-3)
    assert contrast.mean() == pytest.approx(0.5, abs=0.02)
    assert contrast.std() == pytest.approx(0.2, abs=0.05)


def test_smallest_images():
    assert DISFlow()(torch.rand(1, 3, 8, 12), torch.rand(1, 3, 8, 12)).isfinite().all()
    with pytest.raises(ValueError, match='at least 12 pixels wide or high, found 11x8: use larger crops'):
        DISFlow()(torch.rand(1, 3, 11, 8), torch.rand(1, 3, 11, 8))


def test_says_what_is_wrong():
    image = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match='preset is one of ultrafast, fast, medium'):
        DISFlow('best')
    with pytest.raises(ValueError, match='second: 1 of 768 values are NaN or infinite'):
        DISFlow()(image, image.index_put((torch.tensor([0]),) * 4, torch.tensor(float('nan'))))
    with pytest.raises(ValueError, match=r'second: expected the shape \(1 3 16 16\)'):
        DISFlow()(image, image[..., :8])
