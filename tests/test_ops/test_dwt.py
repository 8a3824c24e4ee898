import pytest
import torch
from torch.autograd import gradcheck

from rawtoolbox.ops.dwt import haar_dwt, haar_iwt


def test_a_block_becomes_its_four_bands():
    block = torch.tensor([[1.0, 2.0], [4.0, 8.0]])[None, None]
    ll, top_bottom, left_right, diagonal = haar_dwt(block).flatten()
    assert (ll, top_bottom, left_right, diagonal) == (7.5, -4.5, -2.5, 1.5)


def test_equals_the_frozen_convolution_of_the_official_networks():
    image = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    taps = torch.tensor([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).double() / 2
    bands = torch.nn.functional.conv2d(image, taps.view(4, 1, 2, 2).repeat(3, 1, 1, 1), stride=2, groups=3)
    torch.testing.assert_close(haar_dwt(image), bands)


@pytest.mark.parametrize('order', ['interleaved', 'band-major'])
def test_inverse_and_energy(order):
    image = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    bands = haar_dwt(image, order)
    assert bands.shape == (2, 12, 3, 4)
    torch.testing.assert_close(haar_iwt(bands, order), image)
    torch.testing.assert_close(bands.square().sum(), image.square().sum())


def test_orders_hold_the_same_bands():
    image = torch.randn(1, 3, 4, 4)
    interleaved, major = haar_dwt(image), haar_dwt(image, 'band-major')
    for channel in range(3):
        for band in range(4):
            assert torch.equal(interleaved[:, 4 * channel + band], major[:, 3 * band + channel])


def test_gradients():
    image = torch.randn(1, 2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(haar_dwt, image)
    assert gradcheck(haar_iwt, torch.randn(1, 4, 2, 2, dtype=torch.float64, requires_grad=True))


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match='must be even, found 3x4'):
        haar_dwt(torch.zeros(1, 1, 3, 4))
    with pytest.raises(ValueError, match='found 6 channels'):
        haar_iwt(torch.zeros(1, 6, 2, 2))
    with pytest.raises(ValueError, match='interleaved, band-major'):
        haar_dwt(torch.zeros(1, 1, 2, 2), 'planar')


@pytest.mark.parametrize('order', ['interleaved', 'band-major'])
def test_channels_last_in_memory_stay_so_and_change_nothing(order):
    image = torch.rand(2, 8, 6, 10)
    last = image.contiguous(memory_format=torch.channels_last)
    for transform in (haar_dwt, haar_iwt):
        found = transform(last, order)
        assert torch.equal(found, transform(image, order))
        assert found.is_contiguous(memory_format=torch.channels_last)
