"""The refinement of a homography by all pixels, against simulated frames whose homography is known."""

import cv2
import numpy as np
import pytest
from pair_frames import GAINS, corner_error, take

from rawtoolbox.preparation.pairs.dense_alignment import (
    align_densely,
    consensus,
    fit_step,
    measure_blocks,
    place_blocks,
    weigh_blocks,
)
from rawtoolbox.preparation.pairs.homography import frame_corners, project
from rawtoolbox.preparation.pairs.matching import match_pair
from rawtoolbox.raw import RawFrame
from rawtoolbox.raw.develop import render
from rawtoolbox.simulation.photographs import PHOTOGRAPHS


def develop(frames):
    return render(RawFrame(frames.mosaic, (63.0,) * 4, 1020.0, as_shot_gains=GAINS))


@pytest.mark.parametrize('name', PHOTOGRAPHS)
def test_corners_are_found_on_every_photograph(name):
    # among them flower: sharp in the middle, out of focus elsewhere, where key points alone are off by 1.5 pixels
    frames = take(name, degrees=-2, parallax=8, seed=3)
    match, _, _ = match_pair(develop(frames), frames.photo)
    assert corner_error(match.homography, frames) < 0.5


def test_a_start_that_is_pixels_off_is_mended():
    frames = take('coffee', parallax=8)
    corners = frame_corners(frames.mosaic.shape).astype(np.float32)
    moved = project(frames.homography, corners) + np.array([[3, -2], [-2, 3], [2, 2], [-3, 1]])
    start = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    assert corner_error(start, frames) > 3
    seen = develop(frames)
    found = align_densely(seen, frames.photo, start)
    assert corner_error(found, frames) < 0.3
    assert consensus(seen, frames.photo, found) > 1.2 * consensus(seen, frames.photo, start)


def test_pictures_that_say_nothing_leave_the_homography():
    start = np.array([[1.01, 0, 3], [0, 0.99, -2], [0, 0, 1.0]])
    flat = np.full((120, 160, 3), 90, np.uint8)
    assert np.array_equal(align_densely(flat, flat, start), start)


def test_blocks_measure_shifts_and_know_what_they_cannot_know():
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.standard_normal((144, 192)).astype(np.float32), (0, 0), 3) * 200
    picture[:, 96:] = picture[:1, 96:]  # vertical stripes: nothing tells up from down
    blocks = place_blocks(picture.shape)
    shift = np.array([[1, 0, 0.4], [0, 1, -0.3], [0, 0, 1]])
    seen = cv2.warpAffine(
        picture, shift[:2], picture.shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )
    information, pull = measure_blocks([0.5 * seen + 20], [picture], np.eye(3), blocks)  # other brightness
    inner = np.zeros(blocks.shape, bool)
    inner[1:-1, 1:-1] = True
    left = (inner & (np.arange(blocks.shape[1]) < 3)).ravel()
    right = (inner & (np.arange(blocks.shape[1]) > 4)).ravel()
    shifts = np.linalg.solve(information[left], pull[left][..., None])[..., 0]
    assert np.abs(np.median(shifts, axis=0) - (0.4, -0.3)).max() < 0.08  # linearised
    assert (information[right, 1, 1] < 1e-3 * information[right, 0, 0]).all()


def test_step_follows_most_blocks_and_none_outvotes_the_rest():
    blocks = place_blocks((480, 640))
    truth = np.array([0.002, -0.001, 0.003, 0.001, 0.002, -0.002, 0.0005, -0.001])
    shifts = blocks.jacobian @ truth
    shifts[:100] += (6, 2)  # an object in front
    information = np.eye(2) * np.geomspace(0.5, 1e4, len(shifts))[:, None, None]
    pull = (information @ shifts[..., None])[..., 0]
    opinions = weigh_blocks(information, pull)
    assert opinions.strength.max() < 8.001  # of half a pixel, both ways
    assert np.abs(blocks.jacobian @ (fit_step(opinions, blocks.jacobian) - truth)).max() < 0.05
