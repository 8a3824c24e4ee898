import cv2
import numpy as np

from rawtoolbox.ops.geometry import homography_flow

MATRIX = np.array([[1.01, 0.01, 3.0], [-0.01, 0.99, -2.0], [2e-5, -1e-5, 1.0]])


def test_a_shift_moves_every_pixel_alike():
    flow = homography_flow(np.array([[1, 0, 2.5], [0, 1, -1], [0, 0, 1]], float), (3, 4))
    assert flow.shape == (2, 3, 4) and (flow[0] == 2.5).all() and (flow[1] == -1).all()


def test_homography_flow_is_opencvs():
    size = (23, 31)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    moved = cv2.perspectiveTransform(points, MATRIX) - points
    np.testing.assert_allclose(
        homography_flow(MATRIX, size), moved.reshape(*size, 2).transpose(2, 0, 1), atol=1e-9
    )
