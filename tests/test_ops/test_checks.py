import warnings

import pytest
import torch

from rawtoolbox.ops.checks import check_finite, check_range, check_same_size, check_shape


def test_a_fitting_shape_gives_the_letters_sizes():
    assert check_shape(torch.zeros(2, 3, 4, 5), 'N 3 H W') == {'N': 2, 'H': 4, 'W': 5}
    assert check_shape(torch.zeros(4, 4), 'S S') == {'S': 4}
    assert check_shape(torch.zeros(4, 7), '_ _') == {}


@pytest.mark.parametrize(
    ('shape', 'pattern'),
    [
        ((2, 4, 4, 5), 'N 3 H W'),
        ((3, 4, 5), 'N 3 H W'),
        ((2, 3, 4, 5), 'N 3 S S'),
        ((2, 3), '2'),
        ((2,), '2 3'),
    ],
)
def test_another_shape_is_refused_with_both_shapes(shape, pattern):
    found = ' '.join(map(str, shape))
    with pytest.raises(ValueError, match=rf'^image: expected the shape \({pattern}\), found \({found}\)\.$'):
        check_shape(torch.zeros(shape), pattern, 'image')


def test_sizes_must_agree():
    check_same_size(torch.zeros(1, 3, 4, 5), torch.zeros(2, 1, 4, 5))
    with pytest.raises(ValueError, match='pred is 4x5 and target 4x6 pixels'):
        check_same_size(torch.zeros(1, 3, 4, 5), torch.zeros(1, 3, 4, 6), ('pred', 'target'))


def test_values_must_be_finite():
    check_finite(torch.zeros(3))
    with pytest.raises(ValueError, match='pred: 2 of 3 values are NaN or infinite'):
        check_finite(torch.tensor([float('nan'), 0, float('inf')]), 'pred')


def test_values_must_lie_in_the_range():
    check_range(torch.tensor([0.0, 1.0]), 0, 1)
    check_range(torch.zeros(0), 0, 1)
    with pytest.raises(ValueError, match=r'image: expected values in \[0, 1\], found \[-0\.5, 255\]'):
        check_range(torch.tensor([-0.5, 255.0]), 0, 1, 'image')
    with pytest.raises(ValueError, match='1 of 2 values are NaN'):
        check_range(torch.tensor([float('nan'), 0.5]), 0, 1)


def test_a_trace_goes_through_and_knows_the_letters():
    def scale(image):
        return image * check_shape(image, 'N C 4 _')['C']

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        traced = torch.jit.trace(scale, torch.ones(1, 3, 4, 5))
    assert traced(torch.ones(1, 2, 4, 5)).unique().tolist() == [2]  # the size is part of the graph, not 3
