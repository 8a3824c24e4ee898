import cv2
import numpy as np
import torch

from rawtoolbox.visualization import error_map, strip, to_image, write_strip
from rawtoolbox.visualization.strip import HEADER


def output(**images):
    return {'name': 'x', 'pred': torch.full((3, 24, 40), 0.5), **images}


def test_image_is_rounded_and_clipped():
    image = to_image(torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1))
    assert image.tolist() == [[[0, 128, 255]]]


def test_strip_holds_what_there_is():
    full = {key: torch.rand(3, 24, 40) for key in ('baseline', 'mapped', 'aligned_target', 'target')}
    full['aligned_mask'] = torch.ones(1, 24, 40)
    assert strip(output(**full)).shape == (HEADER + 24, 6 * 40, 3)
    assert strip(output()).shape == (HEADER + 24, 40, 3)


def test_reference_line_is_at_the_same_place_in_every_picture():
    black = torch.zeros(3, 24, 40)
    picture = strip({'pred': black, 'target': black})[HEADER:]
    red = (picture == (255, 0, 0)).all(axis=-1).all(axis=0)
    assert np.flatnonzero(red).tolist() == [20, 60]


def test_error_map_is_dark_where_there_is_none_and_black_where_masked():
    pred, reference = torch.zeros(3, 4, 4), torch.zeros(3, 4, 4)
    reference[:, 0, 0] = 1.0
    mask = torch.ones(1, 4, 4)
    mask[0, 3, 3] = 0
    picture = error_map(pred, reference, mask).astype(int)
    assert picture[0, 0].sum() > picture[1, 1].sum() + 300
    assert picture[3, 3].tolist() == [0, 0, 0]


def test_strip_is_written_whole(tmp_path):
    write_strip(tmp_path / 'strips' / 'a.png', output(target=torch.rand(3, 24, 40)))
    assert cv2.imread(str(tmp_path / 'strips' / 'a.png')).shape == (HEADER + 24, 120, 3)
    assert [path.name for path in (tmp_path / 'strips').iterdir()] == ['a.png']
