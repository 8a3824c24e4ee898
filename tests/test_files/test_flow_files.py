"""Flow files against OpenCV's reader and against bytes written by hand."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from rawtoolbox.files.flow import read_flo, read_flow_png, write_flo, write_flow_png

MIDDLEBURY = Path(__file__).parents[2].parent / 'shared/data/flow/RubberWhale/flow10.flo'


@pytest.fixture
def flow():
    return np.random.default_rng(0).uniform(-30, 30, (2, 5, 7)).astype(np.float32)


def test_png_round_trip_is_within_half_a_step(tmp_path, flow):
    valid = np.random.default_rng(1).random((5, 7)) < 0.7
    write_flow_png(tmp_path / 'flow.png', flow, valid)
    read, mask = read_flow_png(tmp_path / 'flow.png')
    assert (read.shape, read.dtype, mask.shape, mask.dtype) == ((2, 5, 7), np.float32, (1, 5, 7), np.float32)
    np.testing.assert_array_equal(mask[0], valid)
    np.testing.assert_allclose(read, np.where(valid, flow, 0), atol=1 / 128)


def test_png_has_kittis_channels(tmp_path):
    flow = np.stack([np.full((3, 4), 1.5), np.full((3, 4), -2.0)])
    write_flow_png(tmp_path / 'flow.png', flow)
    blue, green, red = cv2.split(cv2.imread(str(tmp_path / 'flow.png'), cv2.IMREAD_UNCHANGED))
    assert set(red.ravel()) == {2**15 + 96}  # u
    assert set(green.ravel()) == {2**15 - 128}  # v
    assert set(blue.ravel()) == {1}


def test_png_keeps_steps_of_a_64th(tmp_path):
    flow = np.arange(-70, 70).reshape(2, 7, 10).astype(np.float32) / 64
    write_flow_png(tmp_path / 'flow.png', flow)
    np.testing.assert_array_equal(read_flow_png(tmp_path / 'flow.png')[0], flow)


def test_png_refuses_what_it_cannot_hold(tmp_path, flow):
    with pytest.raises(ValueError, match=r'expected flow within 512 pixels, found 600\. Write it as \.flo'):
        write_flow_png(tmp_path / 'flow.png', flow * 0 + 600)
    write_flow_png(tmp_path / 'flow.png', flow * 0 + 600, np.zeros((5, 7)))  # unknown there, so not stored
    with pytest.raises(ValueError, match='expected a valid mask of 5x7'):
        write_flow_png(tmp_path / 'flow.png', flow, np.ones((4, 7)))
    with pytest.raises(ValueError, match=r'flow: expected the shape \(2 H W\), found \(5, 7, 2\)'):
        write_flow_png(tmp_path / 'flow.png', flow.transpose(1, 2, 0))


def test_png_reader_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.png: expected a flow file'):
        read_flow_png(tmp_path / 'gone.png')
    (tmp_path / 'empty.png').write_bytes(b'')
    with pytest.raises(ValueError, match='found no image'):
        read_flow_png(tmp_path / 'empty.png')
    cv2.imwrite(str(tmp_path / 'grey.png'), np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match=r'found uint8 of shape \(4, 4\)'):
        read_flow_png(tmp_path / 'grey.png')


def test_flo_is_opencvs(tmp_path, flow):
    write_flo(tmp_path / 'ours.flo', flow)
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / 'ours.flo')), flow.transpose(1, 2, 0))
    cv2.writeOpticalFlow(str(tmp_path / 'theirs.flo'), np.ascontiguousarray(flow.transpose(1, 2, 0)))
    read, valid = read_flo(tmp_path / 'theirs.flo')
    np.testing.assert_array_equal(read, flow)
    assert valid.shape == (1, 5, 7)
    assert valid.all()


def test_flo_bytes_and_unknown_flow(tmp_path):
    values = (1.0, 2.0, 2e9, 0.0, float('nan'), 4.0)
    (tmp_path / 'a.flo').write_bytes(b'PIEH' + struct.pack('<2i6f', 3, 1, *values))
    flow, valid = read_flo(tmp_path / 'a.flo')
    np.testing.assert_array_equal(valid, [[[1, 0, 0]]])
    np.testing.assert_array_equal(flow, [[[1, 0, 0]], [[2, 0, 0]]])


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (b'', 'expected a .flo file'),
        (b'PNG!' + bytes(40), "found b'PNG!'"),
        (b'PIEH' + struct.pack('<2i', 3, 2) + bytes(20), 'expected 60 bytes for 2x3 pixels, found 32'),
        (b'PIEH' + struct.pack('<2i', -3, 2) + bytes(20), 'bytes for 2x-3 pixels'),
    ],
)
def test_flo_reader_refuses_damaged_files(tmp_path, data, message):
    (tmp_path / 'bad.flo').write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_flo(tmp_path / 'bad.flo')


@pytest.mark.skipif(
    not MIDDLEBURY.is_file(), reason='needs ../shared/data/flow (Middlebury, not in the project)'
)
def test_middlebury_truth_can_be_read():
    flow, valid = read_flo(MIDDLEBURY)
    theirs = cv2.readOpticalFlow(str(MIDDLEBURY)).transpose(2, 0, 1)
    known = valid[0] > 0
    np.testing.assert_array_equal(flow[:, known], theirs[:, known])
    assert 0.9 < valid.mean() < 1
    assert (np.abs(theirs[:, ~known]) > 1e9).all()
