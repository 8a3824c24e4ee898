"""Notices from the values of a mosaic, and from tags that are not applied."""

import numpy as np
import pytest
import tifffile
import torch

from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.raw.frame import RawFileError, make_frame
from rawtoolbox.raw.reader import read_raw
from rawtoolbox.raw.suspicions import looks_quad

CAMERA = [(50706, 1, 4, bytes((1, 4, 0, 0)), True), (271, 2, 0, 'a', True), (272, 2, 0, 'b', True)]
CAMERA += [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True)]


@pytest.fixture
def planes():
    """(3, 64, 96) smooth colours of a sensor, with noise."""
    rng = np.random.default_rng(0)
    colours = (
        rng.uniform(0.1, 1, (3, 8, 12)).repeat(8, 1).repeat(8, 2) * np.array([0.5, 1, 0.6])[:, None, None]
    )
    return colours + rng.normal(0, 0.01, colours.shape)


def quad(planes, top=0, left=0):
    """A quad-Bayer mosaic: 2x2 blocks of a colour."""
    rows, columns = np.indices(planes.shape[1:])
    colour = np.array([[0, 1], [1, 2]])[(rows + top) // 2 % 2, (columns + left) // 2 % 2]
    return np.rint(1000 * np.take_along_axis(planes, colour[None], 0)[0].clip(0)).astype(np.uint16)


def bayer(planes):

    return np.rint(1000 * bayer_mosaic(torch.from_numpy(planes)[None])[0, 0].numpy().clip(0)).astype(
        np.uint16
    )


@pytest.mark.parametrize('shift', [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_quad_bayer_that_says_2x2(planes, shift):
    frame = make_frame(quad(planes, *shift), 'RGGB', 0, 1023)
    assert any('quad-Bayer' in notice for notice in frame.notices)


def test_bayer_is_no_quad(planes):
    assert not looks_quad(bayer(planes))
    noise = np.random.default_rng(1).integers(0, 1000, (64, 64), dtype=np.uint16)
    assert not looks_quad(noise)


def test_levels_that_cannot_be_right(planes):
    below = make_frame(bayer(planes), 'RGGB', 800, 65535).notices
    assert any('below the black level 800' in notice for notice in below)
    dark = make_frame(bayer(planes), 'RGGB', 0, 65535).notices
    assert any('the white level 65535' in notice for notice in dark)
    assert make_frame(bayer(planes), 'RGGB', 0, 1023).notices == ()


def test_baseline_exposure_is_named(tmp_path, planes):
    path = tmp_path / 'a.dng'
    extra = [*CAMERA, (50730, 10, 1, (-3, 2), True)]
    tifffile.imwrite(path, bayer(planes), photometric=32803, extratags=extra, metadata=None)
    assert any('-1.5 EV' in notice for notice in read_raw(path).notices)


def test_deflated_floats_without_a_predictor_are_refused(tmp_path, planes):
    path = tmp_path / 'a.dng'
    options = {'photometric': 32803, 'extratags': CAMERA, 'metadata': None, 'compression': 'zlib'}
    tifffile.imwrite(path, (bayer(planes) / 1000).astype(np.float32), **options)
    with pytest.raises(RawFileError, match='without a predictor'):
        read_raw(path)
