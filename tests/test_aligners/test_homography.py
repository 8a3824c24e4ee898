"""Alignment by key points, on a photograph that was moved by a known homography."""

import warnings

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from rawtoolbox.aligners import HomographyAligner
from rawtoolbox.aligners.homography import keeps_shape
from rawtoolbox.ops.colour import gamma_encode
from rawtoolbox.ops.geometry import homography_flow
from rawtoolbox.registry import ALIGNERS

MATRIX = np.array([[1.01, 0.01, 3.0], [-0.01, 0.99, -2.0], [2e-5, -1e-5, 1.0]])


@pytest.fixture(scope='module')
def pair():
    """A dark source with the wrong colours, the target, the exactly aligned target, and the true flow."""
    photo = data.astronaut()[80:272, 60:316].astype(np.float32) / 255
    inverse = np.linalg.inv(MATRIX)
    target = cv2.warpPerspective(photo, inverse, (256, 192), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    exact, moved = (torch.from_numpy(image).permute(2, 0, 1)[None].clamp(0, 1) for image in (photo, target))
    source = 0.2 * exact**2.2 * torch.tensor([0.5, 1.0, 0.6]).view(3, 1, 1)
    return source, moved, exact, torch.from_numpy(homography_flow(MATRIX, (192, 256)))[None]


@pytest.mark.parametrize('method', ['usac', 'ransac'])
def test_finds_a_homography(pair, method):
    source, target, exact, flow = pair
    aligned = HomographyAligner(method=method)(source, target)
    assert (aligned.flow - flow).norm(dim=1).max() < 0.4
    assert aligned.mapped is None and 0.9 < aligned.mask.mean() < 1
    inside = aligned.mask.bool().expand_as(exact)
    assert (aligned.target - exact)[inside].abs().mean() < 0.02
    assert not aligned.target[~inside].any()


def test_larger_target(pair):
    """The flow is found at the source's size; the target keeps its own."""
    source, target, _, flow = pair
    large = torch.nn.functional.interpolate(target, scale_factor=2, mode='bicubic').clamp(0, 1)
    aligned = HomographyAligner()(source, large)
    assert aligned.target.shape == large.shape and aligned.mask.shape[-2:] == large.shape[-2:]
    assert aligned.flow.shape == flow.shape and (aligned.flow - flow).norm(dim=1).mean() < 0.3


def test_each_pair_for_itself(pair):
    """A batch in which one pair has no homography; from a config."""
    source, target, _, _ = pair
    sources, targets = torch.cat([source, source]), torch.cat([torch.full_like(target, 0.4), target])
    with pytest.warns(UserWarning, match='pair 0 of the batch: the target has 0 key points'):
        aligned = ALIGNERS.build({'type': 'HomographyAligner'})(sources, targets)
    assert torch.equal(aligned.target[0], targets[0]) and aligned.mask[0].all() and not aligned.flow[0].any()
    torch.testing.assert_close(aligned.flow[1:], HomographyAligner()(source, target).flow)


def test_why_there_is_none(pair):
    source, target, _, _ = pair
    torch.manual_seed(0)
    strict = HomographyAligner(fallback='error')
    for first, second, why in (
        (torch.zeros_like(source), target, 'the source has 0 key points: it is flat, or too small'),
        (source[..., :4, :4], target[..., :4, :4], 'the source has 0 key points'),
        (source, torch.rand_like(target), 'matches pass the ratio test, expected at least 12'),
    ):
        with pytest.raises(ValueError, match=f"{why}.*fallback='identity' takes such targets as they are"):
            strict(first, second)
    with pytest.raises(ValueError, match='matches agree, expected at least 100000|matches pass'):
        HomographyAligner(min_inliers=100000, fallback='error')(source, target)


@pytest.mark.parametrize(
    ('matrix', 'kept'),
    [
        (MATRIX, True),
        (np.diag([1.0, -1.0, 1.0]), False),
        (np.diag([0.1, 0.1, 1.0]), False),
        (np.array([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1.0]]), False),
        (np.full((3, 3), np.nan), False),
    ],
    ids=['plausible', 'mirrored', 'tiny', 'behind', 'nan'],
)
def test_keeps_shape(matrix, kept):
    assert keeps_shape(matrix, (100, 150)) is kept


def test_nothing_to_learn(pair):
    aligner = HomographyAligner()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        aligned = aligner(pair[0].requires_grad_(), pair[1])
    assert aligner.loss(aligned) == {} and not list(aligner.parameters())
    assert not any(tensor.requires_grad for tensor in (aligned.target, aligned.mask, aligned.flow))
    pair[0].requires_grad_(False)


def test_says_what_is_wrong(pair):
    source, target, _, _ = pair
    with pytest.raises(ValueError, match="method: expected one of ransac, usac, found 'lmeds'"):
        HomographyAligner(method='lmeds')
    with pytest.raises(ValueError, match="fallback: expected one of identity, error, found 'skip'"):
        HomographyAligner(fallback='skip')
    with pytest.raises(
        ValueError, match=r'ratio in \(0, 1\], a positive threshold and min_inliers of at least 4'
    ):
        HomographyAligner(min_inliers=3)
    with pytest.raises(ValueError, match=r'target: expected the shape \(1 3 _ _\)'):
        HomographyAligner()(source, target[:, :1])
    with pytest.raises(ValueError, match='source: 1 of .* values are NaN'):
        HomographyAligner()(
            source.index_fill(1, torch.tensor([0]), 0).index_put(
                (torch.tensor([0]),) * 4, torch.tensor(torch.nan)
            ),
            target,
        )


def test_dark_source_is_brought_to_the_targets_brightness(pair):
    source, target, _, flow = pair
    aligned = HomographyAligner()(source * 1e-2, target)
    assert (aligned.flow - flow).norm(dim=1).mean() < 0.4
    assert gamma_encode(source * 1e-2).max() < 0.12
