"""Colours of light: chromaticity, correlated colour temperature and tint, and chromatic adaptation."""

from __future__ import annotations

import numpy as np

Chromaticity = tuple[float, float]  # CIE 1931 x, y

D50: Chromaticity = (0.34567, 0.35850)
D65: Chromaticity = (0.31271, 0.32902)

COOLEST, HOTTEST = 1667.0, 25000.0  # kelvin
TINT_SCALE = 3000.0  # tint per unit of CIE 1960 uv, as in raw developers; positive is magenta
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def xy_to_xyz(xy: Chromaticity) -> np.ndarray:
    """(3,) CIE XYZ of a chromaticity, with Y = 1."""
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def xyz_to_xy(xyz: np.ndarray) -> Chromaticity:
    """Chromaticity of (3,) XYZ.

    Raises:
        ValueError: The sum is not positive: there is no such colour.
    """
    total = float(np.sum(xyz))
    if not total > 0:
        raise ValueError(f'XYZ: expected a positive sum, found {np.asarray(xyz).tolist()}.')
    return float(xyz[0]) / total, float(xyz[1]) / total


def adaptation(source: Chromaticity, target: Chromaticity) -> np.ndarray:
    """(3, 3) XYZ under one white to XYZ under another: the linear Bradford transform (ICC.1:2022, annex E.3)."""
    before, after = (BRADFORD @ xy_to_xyz(white) for white in (source, target))
    matrix: np.ndarray = np.linalg.inv(BRADFORD) @ np.diag(after / before) @ BRADFORD
    return matrix


def temperature_to_xy(kelvin: float, tint: float = 0.0) -> Chromaticity:
    """The chromaticity of a black body, moved at right angles to the locus by the tint.

    Args:
        kelvin: 1667 to 25000.
        tint: 1/3000 of a unit of CIE 1960 uv each; positive for light that is greener than the black body's, which
            makes the picture more magenta, as raw developers count it.

    Raises:
        ValueError: The temperature is out of range.
    """
    if not COOLEST <= kelvin <= HOTTEST:
        raise ValueError(f'temperature: expected {COOLEST:g} to {HOTTEST:g} K, found {kelvin}.')
    uv, normal = _locus(kelvin), _normal(kelvin)
    return _uv_to_xy(uv + normal * tint / TINT_SCALE)


def xy_to_temperature(xy: Chromaticity) -> tuple[float, float]:
    """Correlated colour temperature in kelvin, clipped to 1667 ... 25000, and tint: the inverse of `temperature_to_xy`.

    The nearest point of the locus in CIE 1960 uv, searched in reciprocal temperature.
    """
    uv = _xy_to_uv(xy)
    low, high = 1 / HOTTEST, 1 / COOLEST
    for _ in range(6):  # each round leaves a tenth
        candidates = np.linspace(low, high, 21)
        distances = [float(np.hypot(*(uv - _locus(1 / candidate)))) for candidate in candidates]
        best = int(np.argmin(distances))
        low, high = candidates[max(best - 1, 0)], candidates[min(best + 1, 20)]
    kelvin = 2 / (low + high)
    return kelvin, TINT_SCALE * float((uv - _locus(kelvin)) @ _normal(kelvin))


def _locus(kelvin: float) -> np.ndarray:
    """CIE 1960 uv of the black body: Krystek, *An Algorithm to Calculate Correlated Colour Temperature*, 1985."""
    squared = kelvin * kelvin
    u = (0.860117757 + 1.54118254e-4 * kelvin + 1.28641212e-7 * squared) / (
        1 + 8.42420235e-4 * kelvin + 7.08145163e-7 * squared
    )
    v = (0.317398726 + 4.22806245e-5 * kelvin + 4.20481691e-8 * squared) / (
        1 - 2.89741816e-5 * kelvin + 1.61456053e-7 * squared
    )
    return np.array([u, v])


def _normal(kelvin: float) -> np.ndarray:
    """Unit vector at right angles to the locus, towards green (larger v)."""
    du, dv = _locus(kelvin * 1.001) - _locus(kelvin / 1.001)
    normal: np.ndarray = np.array([dv, -du]) / np.hypot(du, dv) * np.sign(-du)
    return normal


def _xy_to_uv(xy: Chromaticity) -> np.ndarray:
    x, y = xy
    return np.array([4 * x, 6 * y]) / (-2 * x + 12 * y + 3)


def _uv_to_xy(uv: np.ndarray) -> Chromaticity:
    u, v = uv
    scale = 2 * u - 8 * v + 4
    return float(3 * u / scale), float(2 * v / scale)
