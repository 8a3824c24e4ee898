"""Colour of a camera by the book: matrices of one to three illuminants, interpolated for the light of the scene.

After the DNG specification 1.7.1, chapter 6, *Mapping Camera Color Space to CIE XYZ Space*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rawtoolbox.raw.white_point import (
    D50,
    D65,
    Chromaticity,
    adaptation,
    xy_to_temperature,
    xy_to_xyz,
    xyz_to_xy,
)

ROUNDS = 30  # of the search for the light; real cameras need about ten
NEAR = 1e-8  # of chromaticities
WORST_CONDITION = 1e3


@dataclass(frozen=True, eq=False)
class Illuminant:
    """A camera under one light.

    Attributes:
        kelvin: Correlated colour temperature of the light.
        color_matrix: (3, 3) CIE XYZ to the reference camera.
        forward_matrix: (3, 3) white-balanced reference camera to XYZ under D50; None if not given.
        calibration: (3, 3) reference camera to this one.
    """

    kelvin: float
    color_matrix: np.ndarray
    forward_matrix: np.ndarray | None = None
    calibration: np.ndarray = field(default_factory=lambda: np.eye(3))


@dataclass(frozen=True, eq=False)
class ColourProfile:
    """What a file says of its camera's colours.

    Attributes:
        illuminants: One to three, in any order.
        analog_balance: Gains of R, G, B that were applied before digitising.
    """

    illuminants: tuple[Illuminant, ...]
    analog_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not self.illuminants:
            raise ValueError('illuminants: expected at least one.')
        for light in self.illuminants:
            check_matrix('color_matrix', light.color_matrix)
            check_matrix('calibration', light.calibration)

    def at(self, xy: Chromaticity) -> Illuminant:
        """The camera under any light: interpolated in reciprocal temperature, constant beyond the outermost lights.

        A forward matrix is interpolated where both neighbours have one.
        """
        lights = sorted(self.illuminants, key=lambda light: light.kelvin)
        kelvin = float(np.clip(xy_to_temperature(xy)[0], lights[0].kelvin, lights[-1].kelvin))
        upper = next(index for index, light in enumerate(lights) if light.kelvin >= kelvin)
        cool, hot = lights[max(upper - 1, 0)], lights[upper]
        if cool.kelvin == hot.kelvin:
            return hot
        share = (1 / kelvin - 1 / hot.kelvin) / (1 / cool.kelvin - 1 / hot.kelvin)  # of the cooler light
        return _mixed(cool, hot, share, kelvin)

    def xyz_to_camera(self, xy: Chromaticity) -> np.ndarray:
        """(3, 3) XYZ to this camera's RGB under a light: AnalogBalance x CameraCalibration x ColorMatrix."""
        light = self.at(xy)
        matrix: np.ndarray = np.diag(self.analog_balance) @ light.calibration @ light.color_matrix
        return matrix


def neutral_to_xy(profile: ColourProfile, neutral: Sequence[float] | np.ndarray) -> Chromaticity:
    """The light under which the camera answers to grey with ``neutral``, found by iteration from D50.

    Args:
        profile: The camera.
        neutral: Raw R, G, B of a grey object, any scale: AsShotNeutral, or one over the white-balance gains.

    Raises:
        ValueError: Not three positive numbers, or no light looks like that.
    """
    camera = np.asarray(neutral, dtype=float)
    if camera.shape != (3,) or not np.isfinite(camera).all() or camera.min() <= 0:
        raise ValueError(f'neutral: expected three positive numbers, found {list(neutral)}.')
    xy = D50
    for count in range(ROUNDS):
        found = xyz_to_xy(np.linalg.solve(profile.xyz_to_camera(xy), camera))
        if max(abs(found[0] - xy[0]), abs(found[1] - xy[1])) < NEAR:
            return found
        # it may go back and forth between two lights: half steps settle it
        halfway = ((xy[0] + found[0]) / 2, (xy[1] + found[1]) / 2)
        xy = halfway if count > ROUNDS // 2 else found
    return xy


def xy_to_neutral(profile: ColourProfile, xy: Chromaticity) -> np.ndarray:
    """(3,) raw R, G, B of a grey object under a light, the largest 1: AsShotWhiteXY as AsShotNeutral.

    Raises:
        ValueError: The camera would see the light as zero or negative.
    """
    neutral: np.ndarray = profile.xyz_to_camera(xy) @ xy_to_xyz(xy)
    if not neutral.min() > 0:
        raise ValueError(f'white {xy}: the camera would see it as {neutral.round(3).tolist()}.')
    neutral /= neutral.max()
    return neutral


def balanced_to_xyz(profile: ColourProfile, neutral: Sequence[float] | np.ndarray) -> np.ndarray:
    """(3, 3) white-balanced camera RGB to XYZ under D50; (1, 1, 1) becomes the white of D50.

    With a ForwardMatrix, as the specification has it. With the matrices of two lights or more, their inverse and the
    Bradford adaptation. One matrix alone holds for its own light only: balancing in the camera's own primaries then
    does the adaptation, as in dcraw and LibRaw, since what the matrix says of another white cannot be trusted.

    Args:
        profile: The camera.
        neutral: Raw R, G, B of a grey object in the light of the scene.

    Raises:
        ValueError: As `neutral_to_xy`, or a matrix cannot be inverted.
    """
    camera = np.asarray(neutral, dtype=float)
    xy = neutral_to_xy(profile, neutral)
    light = profile.at(xy)
    if light.forward_matrix is not None:
        to_reference = np.linalg.inv(np.diag(profile.analog_balance) @ light.calibration)
        reference = to_reference @ camera
        matrix = light.forward_matrix @ np.diag(1 / reference) @ to_reference @ np.diag(camera)
    elif len(profile.illuminants) > 1:
        matrix = adaptation(xy, D50) @ np.linalg.inv(profile.xyz_to_camera(xy)) @ np.diag(camera)
        # a grey object has Y = 1 when it reflects everything
        matrix = matrix / (matrix[1] @ np.ones(3))
    else:
        from_d65 = profile.xyz_to_camera(xy) @ adaptation(D50, D65)
        white = from_d65 @ xy_to_xyz(D50)
        matrix = np.linalg.inv(from_d65 / white[:, None])
    return check_matrix('camera to XYZ', matrix)


def check_matrix(name: str, matrix: np.ndarray) -> np.ndarray:
    """The matrix, when it is (3, 3), finite and can be inverted.

    Raises:
        ValueError: It is not.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or np.linalg.cond(matrix) > WORST_CONDITION:
        raise ValueError(
            f'{name}: expected 3x3 finite numbers that can be inverted, found {matrix.tolist()}.'
        )
    return matrix


def _mixed(cool: Illuminant, hot: Illuminant, share: float, kelvin: float) -> Illuminant:
    def mix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return share * first + (1 - share) * second

    forward = None
    if cool.forward_matrix is not None and hot.forward_matrix is not None:
        forward = mix(cool.forward_matrix, hot.forward_matrix)
    return Illuminant(
        kelvin, mix(cool.color_matrix, hot.color_matrix), forward, mix(cool.calibration, hot.calibration)
    )
