"""Matching, cutting and judging, against known homographies, shifts and displacements."""

import cv2
import numpy as np
import pytest
from pair_frames import BORDER, GAINS, corner_error, take

from rawtoolbox.preparation.agreement import Agreement, correlation, match_colours, measure, rejection
from rawtoolbox.preparation.pairs.homography import (
    MatchError,
    is_plausible,
    project,
    refine_homography,
    shrink,
)
from rawtoolbox.preparation.pairs.matching import detect, match_descriptors, match_pair
from rawtoolbox.preparation.pairs.patches import cut_photo, find_shift, grid
from rawtoolbox.raw import RawFrame
from rawtoolbox.raw.develop import relevel, render


@pytest.fixture(scope='module')
def frames():
    return take('motorcycle_left', 0.7, degrees=5, scale=1.4, parallax=8)


@pytest.fixture(scope='module')
def seen(frames):
    return render(RawFrame(frames.mosaic, (63.0,) * 4, 1020.0, as_shot_gains=GAINS))


def texture(height, width, seed=0):
    """(H, W, 3) uint8 with detail of all sizes."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    image = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (1, 3, 9))
    return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


def test_homography_of_a_larger_photo_with_parallax(frames, seen):
    match, scaled, homography = match_pair(seen, frames.photo)
    assert corner_error(match.homography, frames) < 0.5
    assert match.inliers > 100 and match.error < 1.5
    assert scaled.shape[0] < 0.8 * frames.photo.shape[0]  # brought to the raw's scale
    assert abs(np.linalg.det(homography[:2, :2]) - 1) < 0.1


def test_other_scenes_do_not_match(seen):
    with pytest.raises(MatchError, match=r'only \d+ of \d+ matched key points agree'):
        match_pair(seen, texture(300, 400))
    with pytest.raises(MatchError, match='hardly anything to match'):
        match_pair(seen, np.full((200, 300, 3), 90, np.uint8))


def test_tiles_find_what_the_whole_picture_has(monkeypatch):
    grey = texture(200, 260)[..., 0]
    whole = detect(grey)
    monkeypatch.setattr('rawtoolbox.preparation.pairs.matching.TILE', 128)
    tiled = detect(grey)
    small = whole.at[whole.sizes < 6]
    nearest = np.hypot(*(small[:, None] - tiled.at[None]).transpose(2, 0, 1)).min(axis=1)
    assert (nearest < 0.1).mean() > 0.9


@pytest.mark.parametrize('chunk', [1, 3, 1000])
def test_descriptors_are_matched_mutually_and_where_allowed(monkeypatch, chunk):
    monkeypatch.setattr('rawtoolbox.preparation.pairs.matching.CHUNK', chunk)
    first = np.eye(4, 128, dtype=np.float32) * 100
    second = first[[2, 0, 3]]
    assert match_descriptors(first, second).tolist() == [[0, 1], [2, 0], [3, 2]]
    places = np.zeros((4, 2)), np.array([[0.0, 0], [50, 0], [0, 5]]), 10.0
    assert match_descriptors(first, second, places).tolist() == [[2, 0], [3, 2]]
    alike = np.array([[3.0, 0], [2, 0], [90, 0]], np.float32), np.array([[0.0, 0], [99, 0]], np.float32)
    assert match_descriptors(*alike).tolist() == [
        [1, 0],
        [2, 1],
    ]  # the first is not the nearest of its nearest


def test_refinement_forgets_what_stands_in_front():
    rng = np.random.default_rng(0)
    truth = np.array([[1.1, 0.05, 3], [-0.04, 0.98, -7], [1e-5, -2e-5, 1]])
    points = rng.uniform(0, 500, (200, 2))
    targets = project(truth, points) + 0.1 * rng.standard_normal((200, 2))
    targets[:60] += (2.5, 0)
    refined = refine_homography(truth + 0, points, targets, np.full(200, 2.0))
    assert np.abs(project(refined, points) - project(truth, points)).max() < 0.1


def test_implausible_homographies():
    assert is_plausible(np.eye(3), (100, 150))
    assert not is_plausible(np.diag([-1.0, 1, 1]), (100, 150))  # mirrored
    assert not is_plausible(np.diag([0.01, 0.01, 1]), (100, 150))  # far too small
    assert not is_plausible(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), (100, 150))  # through infinity


def test_shrinking_keeps_places():
    ramp = np.repeat(np.arange(120, dtype=np.float32)[None, :, None], 60, axis=0).repeat(3, axis=2)
    small, matrix = shrink(ramp, 0.25)
    at = project(np.linalg.inv(matrix), np.array([[10.0, 3]]))[0]
    assert small.shape == (15, 30, 3)
    assert small[3, 10, 0] == pytest.approx(at[0], abs=1e-4)


def test_grid_is_even_and_inside_both_pictures(frames):
    origins = grid((100, 301), (140, 320), np.array([[1.0, 0, -5.5], [0, 1, 8], [0, 0, 1]]), 64, 64, margin=4)
    assert [column for _, column in origins] == [*range(origins[0][1], 301 - 63, 64)]
    assert len(origins) == 4 and all(row % 2 == column % 2 == 0 for row, column in origins)
    assert min(column for _, column in origins) - 5.5 >= 4
    turned = grid(frames.mosaic.shape, frames.photo.shape[:2], frames.homography, 64, 32, margin=8)
    corners = np.array([[x, y] for r, c in turned for x in (c, c + 63) for y in (r, r + 63)])
    assert len(turned) > 20 and corners.min() >= 0
    at, (height, width) = project(frames.homography, corners), frames.photo.shape[:2]
    assert at.min() >= 8 and (at <= np.array([width, height]) - 9).all()
    assert grid((100, 100), (50, 50), np.eye(3), 64, 64, 0) == []


def test_whole_shifts_are_cut_exactly_and_fractions_are_found():
    photo = texture(160, 200)
    assert np.array_equal(cut_photo(photo, np.eye(3), (20, 30), 64, (3, -2)), photo[18:82, 33:97])
    source = cut_photo(photo, np.eye(3), (40, 50), 64, (4.4, -5.7))
    wide = cut_photo(photo, np.eye(3), (40, 50), 64, margin=12)
    assert find_shift(source, wide) == pytest.approx((4.4, -5.7), abs=0.1)
    assert find_shift(255 - source // 2 - 100, 255 - wide) == pytest.approx((4.4, -5.7), abs=0.1)


def test_correlation_is_pearsons():
    first, second = np.random.default_rng(0).random((2, 9, 7))
    assert correlation(first, second) == pytest.approx(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    assert correlation(first, np.ones((9, 7))) == 0


def test_colours_are_matched():
    source = texture(96, 96).astype(np.float32) / 255
    target = np.clip(source[..., ::-1] ** 2 * 0.7 + 0.1, 0, 1)
    assert np.abs(match_colours(source, target) - target).mean() < 0.01


@pytest.mark.parametrize(('shift', 'reason'), [(0, ''), (1, ''), (9, 'displaced by'), (14, 'displaced by')])
def test_displaced_patches_are_rejected_whatever_the_colours(shift, reason):
    frames = take('coffee', 0.7)
    source = render(RawFrame(frames.mosaic, (63.0,) * 4, 1020.0))[60:220, 100:260]
    photo = cv2.warpPerspective(frames.photo, np.linalg.inv(frames.homography), frames.mosaic.shape[::-1])
    target = photo[60:220, 100 + shift : 260 + shift]
    recoloured = np.rint(255 * (target[..., [1, 2, 0]] / 255) ** 1.5).astype(np.uint8)
    for image in (target, recoloured):
        found = measure(source, image)
        assert rejection(found, 0.9, 4).startswith(reason)
        assert bool(rejection(found, 0.9, 4)) == bool(reason), found
        assert found.displacement == pytest.approx(shift, rel=0.4, abs=1.5)


def test_an_object_in_front_beyond_the_reach_of_flow_is_seen():
    still, moved = (take('motorcycle_left', parallax=parallax, seed=24) for parallax in (0, 40))
    for frames, wanted in ((still, ''), (moved, 'other detail in')):
        source = render(RawFrame(frames.mosaic, (63.0,) * 4, 1020.0, as_shot_gains=GAINS))
        target = cv2.warpPerspective(
            frames.photo, np.linalg.inv(frames.homography), frames.mosaic.shape[::-1]
        )
        window = (slice(130, 322), slice(90, 282))
        found = measure(source[window], target[window])
        assert found.displacement < 4 and found.correlation > 0.9 and found.detail > 0.9
        assert rejection(found, 0.9, 4).startswith(wanted) and bool(rejection(found, 0.9, 4)) == bool(wanted)


def test_other_content_is_rejected(seen):
    flat = np.full((128, 128, 3), 100, np.uint8)
    assert 'detail' in rejection(measure(seen[:128, :128], texture(128, 128)), 0.9, 4)
    assert 'detail' in rejection(measure(flat, flat), 0.9, 4)
    assert rejection(Agreement(0.85, 1.0, 0.8), 0.9, 4) == 'correlation 0.850 (limit 0.9)'


def test_levels_are_made_alike():
    mosaic = np.array([[100, 200], [300, 1000]], np.uint16)
    frame = RawFrame(mosaic, (100.0, 100.0, 100.0, 100.0), 1100.0)
    assert relevel(frame, [100, 100, 100, 100], 1100.0) is mosaic
    assert relevel(frame, [0, 0, 0, 50], 2000.0).tolist() == [[0, 200], [400, 1805]]
    assert BORDER % 2 == 0  # or the frames of these tests would not be RGGB
