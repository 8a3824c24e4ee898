import numpy as np

from rawtoolbox.files.images import read_photo
from rawtoolbox.files.layouts import pack_sr_raw, write_sr_pair


def test_packed_values_go_round_the_tile():
    mosaic = np.uint16([[100, 200, 110, 210], [400, 300, 410, 310]])
    packed = pack_sr_raw(mosaic, 100, 1100)
    assert packed.dtype == np.float32
    np.testing.assert_allclose(packed[0], [[0, 0.1, 0.2, 0.3], [0.01, 0.11, 0.21, 0.31]], rtol=1e-6)


def test_a_pair_is_found_in_its_folders(tmp_path):
    rng = np.random.default_rng(0)
    target, photo = (rng.integers(0, 256, (side, side, 3), np.uint8) for side in (16, 4))
    packed = rng.random((2, 2, 4), np.float32)
    write_sr_pair(tmp_path, '00006', packed, target, photo)
    np.testing.assert_array_equal(read_photo(tmp_path / 'target_x4_rgb/00006.png'), target)
    np.testing.assert_array_equal(read_photo(tmp_path / 'input_x4_rgb/00006.png'), photo)
    np.testing.assert_array_equal(np.load(tmp_path / 'input_x4_raw/00006.npy'), packed)


def test_a_pair_may_lack_the_photo(tmp_path):
    write_sr_pair(tmp_path, 'a', np.zeros((2, 2, 4), np.float32), np.zeros((16, 16, 3), np.uint8), None)
    assert not (tmp_path / 'input_x4_rgb').exists()
