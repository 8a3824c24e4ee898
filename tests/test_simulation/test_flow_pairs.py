import cv2
import numpy as np
import pytest

from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.simulation import flow_pairs
from rawtoolbox.simulation.flow_pairs import cut_photograph, draw_flow_pair, to_tensor

NAMES = ('astronaut', 'china')


def warp_back(pair):
    """The second image where the flow says the first one's pixels are."""
    y, x = np.mgrid[: pair.flow.shape[1], : pair.flow.shape[2]] + pair.flow[::-1]
    return cv2.remap(pair.second, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC)


def test_is_a_function_of_its_generator():
    first, again = (draw_flow_pair(np.random.default_rng(3), NAMES, 48) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert (first.first.shape, first.first.dtype) == ((48, 48, 3), np.uint8)
    assert (first.flow.shape, first.flow.dtype) == ((2, 48, 48), np.float32)


def test_displacements_keep_to_the_limit():
    lengths = [
        np.hypot(*draw_flow_pair(np.random.default_rng(seed), NAMES, 32, 6).flow).max() for seed in range(20)
    ]
    assert max(lengths) <= 6 + 1 / 16
    assert max(lengths) > 3
    assert min(lengths) < 1


@pytest.mark.parametrize('leaves', [0, 1])
def test_the_flow_leads_to_the_same_thing(leaves, monkeypatch):
    """Without colours between them, the second image warped by the flow is the first."""
    monkeypatch.setattr(flow_pairs, 'LOOKS', {'photo': 1.0})
    inner, gains = (slice(16, -16), slice(16, -16)), []
    for seed in range(6):
        pair = draw_flow_pair(np.random.default_rng(seed), NAMES, 96, 12, leaves)
        warped, first, second = (
            to_tensor(image[inner])[0] / 255 for image in (warp_back(pair), pair.first, pair.second)
        )
        gains.append(psnr(warped, first) - psnr(second, first))
    assert min(gains) > 0
    assert np.mean(gains) > 3


@pytest.mark.parametrize('look', flow_pairs.LOOKS)
def test_looks_differ_in_how_near_they_are_to_the_photo(look, monkeypatch):
    def distance(name):
        monkeypatch.setattr(flow_pairs, 'LOOKS', {name: 1.0})
        pairs = [draw_flow_pair(np.random.default_rng(seed), NAMES, 48, 0.1, 0) for seed in range(6)]
        return np.mean([np.abs(p.first.astype(float) - p.second).mean() for p in pairs])

    assert distance('photo') <= distance(look) <= distance('raw')


def test_cuts_are_parts_of_the_photograph():
    photograph = np.zeros((60, 80, 3), np.float32)
    photograph[..., 1] = 0.5
    for seed in range(6):
        cut = cut_photograph(np.random.default_rng(seed), photograph, 40)
        assert cut.shape == (40, 40, 3)
        lit = cut.reshape(-1, 3).max(0) > 0.1
        assert lit.sum() == 1  # one channel, perhaps another one
        assert np.ptp(cut.max(2)) < 1e-3  # mirrored at the border, not black


def test_photographs_of_a_file(tmp_path):
    picture = np.full((120, 160, 3), (30, 200, 90), np.uint8)
    cv2.imwrite(str(tmp_path / 'green.png'), picture[..., ::-1])
    pair = draw_flow_pair(np.random.default_rng(0), (str(tmp_path / 'green.png'),), 32, 2, 0, {'photo': 1.0})
    assert np.ptp(pair.second.reshape(-1, 3), axis=0).max() <= 2
