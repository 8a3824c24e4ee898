import cv2
import numpy as np
import pytest
import torch
from torch import nn

from rawtoolbox.benchmarks.alignment.middlebury import middlebury_errors, middlebury_table


class Still(nn.Module):
    """Sees nothing move."""

    def forward(self, first, second):
        assert first.shape == second.shape == (1, 3, 6, 8)
        assert first.max() <= 1
        return torch.zeros(1, 2, 6, 8)


def write_sequence(folder, flow):
    folder.mkdir()
    for name in ('frame10.png', 'frame11.png'):
        cv2.imwrite(str(folder / name), np.full((6, 8, 3), 200, np.uint8))
    header = b'PIEH' + np.array([8, 6], '<i4').tobytes()
    field = np.broadcast_to(np.array(flow, '<f4'), (6, 8, 2)).copy()
    field[0, 0] = 1e10  # not known
    (folder / 'flow10.flo').write_bytes(header + field.tobytes())


def test_mean_error_where_the_truth_is_known(tmp_path):
    write_sequence(tmp_path / 'Venus', (3, 4))
    write_sequence(tmp_path / 'Grove2', (0, -1))
    (tmp_path / 'notes').mkdir()
    errors = middlebury_errors({'still': Still()}, tmp_path)
    assert errors == {'still': {'Grove2': pytest.approx(1), 'Venus': pytest.approx(5)}}
    head, line = middlebury_table(errors).splitlines()
    assert head.split()[-2:] == ['Grove2', 'Venus']
    assert line.split() == ['still', '1.000', '5.000']


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'expected a folder for each sequence with frame10\.png'):
        middlebury_errors({}, tmp_path)
