import importlib.util

import golden_tools
import pytest
import torch
from torch.autograd import gradcheck

from rawtoolbox.ops.cost_volume import compiled_correlation, correlation, kernel_volume


def test_equals_the_official_kernel():
    golden = golden_tools.load('pwcnet')
    first, second = golden_tools.inputs(golden, 'corr').values()
    golden_tools.assert_close(correlation(first, second), torch.from_numpy(golden.arrays['corr.out']))


def test_finds_a_shift():
    first = torch.nn.functional.normalize(torch.randn(1, 16, 12, 14), dim=1)
    second = torch.roll(first, (2, -1), (2, 3))  # what was at (y, x) is at (y + 2, x - 1)
    best = correlation(first, second, max_displacement=3)[..., 3:-3, 3:-3].argmax(1)
    assert (best == (2 + 3) * 7 + (-1 + 3)).all()


def test_zero_outside_the_frame():
    volume = correlation(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3), max_displacement=1)
    assert volume[0, :, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 0, 1, 1]


def test_gradient():
    first, second = (torch.randn(1, 2, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(lambda a, b: correlation(a, b, 1), (first, second))


def test_exports_and_compiles_to_the_same_numbers():
    class Correlation(torch.nn.Module):
        def forward(self, first, second):
            return correlation(first, second)

    arguments = (torch.randn(1, 4, 6, 5), torch.randn(1, 4, 6, 5))
    exported = torch.export.export(Correlation(), arguments).module()
    torch.testing.assert_close(exported(*arguments), correlation(*arguments))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'second: expected the shape \(1 2 4 4\), found \(1 2 4 5\)'):
        correlation(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize('width', [1, 15, 16, 17, 40])
def test_equals_sums_over_shifted_maps_at_any_width(width):
    first, second = torch.randn(2, 2, 3, 5, width, dtype=torch.float64)
    padded = torch.nn.functional.pad(second, [2] * 4)
    expected = [
        (first * padded[..., dy : dy + 5, dx : dx + width]).mean(1) for dy in range(5) for dx in range(5)
    ]
    torch.testing.assert_close(correlation(first, second, 2), torch.stack(expected, 1))


class Kernel(torch.nn.Module):
    """What mmcv's correlation computes, from its documentation: sums, zero outside, no division."""

    def __init__(self, kernel_size, max_displacement):
        super().__init__()
        assert kernel_size == 1
        self.reach = max_displacement

    def forward(self, first, second):
        (height, width), d = first.shape[-2:], self.reach
        padded = torch.nn.functional.pad(second, [d] * 4)
        rows = [
            torch.stack(
                [(first * padded[..., y : y + height, x : x + width]).sum(1) for x in range(2 * d + 1)], 1
            )
            for y in range(2 * d + 1)
        ]
        return torch.stack(rows, 1)


def test_a_compiled_kernel_gives_the_same_volume():
    first, second = torch.randn(2, 2, 3, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(kernel_volume(Kernel, first, second, 2), correlation(first, second, 2))


def test_mmcv_lite_has_no_kernel():
    pytest.importorskip('mmcv', reason='mmcv is not installed')
    if importlib.util.find_spec('mmcv._ext') is None:
        assert compiled_correlation() is None
    else:
        assert compiled_correlation().__name__ == 'Correlation'
