"""The colour wheel of Baker et al."""

import numpy as np
import pytest

from rawtoolbox.visualization.flow_color import colour_wheel, flow_to_color


def at(x, y, full_scale=None):
    return flow_to_color(np.array([x, y], float).reshape(2, 1, 1), full_scale)[0, 0].tolist()


def test_wheel():
    wheel = colour_wheel()
    assert wheel.shape == (55, 3) and wheel.min() == 0 and wheel.max() == 1
    starts = np.cumsum([0, 15, 6, 4, 11, 13])
    expected = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]
    np.testing.assert_array_equal(wheel[starts], expected)


def test_known_colours():
    """Right is red, left is cyan to blue, down is yellow, up is violet; still is white."""
    assert at(0, 0) == [255, 255, 255]
    assert at(1, 0) == [255, 0, 0]
    red, green, blue = at(-1, 0)
    assert red == 0 and green > 100 and blue == 255
    red, green, blue = at(0, 1)
    assert red == 255 and green > 200 and blue == 0
    red, green, blue = at(0, -1)
    assert blue > 200 and green < 20 and red > 50


def test_length_is_saturation():
    assert at(0.5, 0, 1) == [255, 127, 127]
    assert at(2, 0, 1) == [191, 0, 0]  # beyond the scale: darker, not paler
    assert at(3, 0) == at(300, 0)


def test_hue_goes_round_without_a_jump():
    angles = np.linspace(0, 2 * np.pi, 721)
    ring = flow_to_color(np.stack([np.cos(angles), np.sin(angles)])[:, None], 1.0001)[0].astype(int)
    assert np.abs(np.diff(ring, axis=0)).max() <= 10


def test_unknown_is_black_and_sets_no_scale():
    flow = np.array([[[np.nan, 2.0, 1.0]], [[0.0, 0.0, 0.0]]])
    picture = flow_to_color(flow)
    assert picture[0].tolist() == [[0, 0, 0], [255, 0, 0], [255, 127, 127]]


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r'expected the shape \(2 H W\), found \(1, 2, 4, 4\)'):
        flow_to_color(np.zeros((1, 2, 4, 4)))
    with pytest.raises(ValueError, match='expected a positive length, found 0'):
        flow_to_color(np.zeros((2, 4, 4)), 0)
