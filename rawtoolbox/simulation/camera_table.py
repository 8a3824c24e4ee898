"""Colour matrices of cameras and the light of black bodies: facts that raws are simulated from."""

from __future__ import annotations

import numpy as np

# XYZ (D65) to camera RGB, times 10,000: the ColorMatrix of the DNG files that Adobe's DNG Converter writes for
# these cameras, as LibRaw lists them (src/tables/colordata.cpp).
COLOUR_MATRICES: dict[str, tuple[int, ...]] = {
    'Canon EOS 5D Mark II': (4716, 603, -830, -7798, 15474, 2480, -1496, 1937, 6651),
    'Canon EOS 5D': (6347, -479, -972, -8297, 15954, 2480, -1968, 2131, 7649),
    'Canon EOS 40D': (6071, -747, -856, -7653, 15365, 2441, -2025, 2553, 7315),
    'Nikon D3': (8139, -2171, -663, -8747, 16541, 2295, -1925, 2008, 8093),
    'Nikon D70': (7732, -2422, -789, -8238, 15884, 2498, -859, 783, 7330),
    'Nikon D90': (7309, -1403, -519, -8474, 16008, 2622, -2434, 2826, 8064),
    'Nikon D200': (8367, -2248, -763, -8758, 16447, 2422, -1527, 1550, 8053),
    'Nikon D800': (7866, -2108, -555, -4869, 12483, 2681, -1176, 2069, 7501),
    'Sony ILCE-7': (5271, -712, -347, -6153, 13653, 2763, -1601, 2366, 7242),
    'Sony DSLR-A900': (5209, -1072, -397, -8845, 16120, 2919, -1618, 1803, 8654),
    'Olympus E-M5': (8380, -2630, -639, -2887, 10725, 2496, -627, 1427, 5438),
    'Panasonic DMC-GH2': (7780, -2410, -806, -3913, 11724, 2484, -1018, 2390, 5298),
    'Pentax K-5': (8713, -2833, -743, -4342, 11900, 2772, -722, 1543, 6247),
    'Fujifilm FinePix X100': (12161, -4457, -1069, -5034, 12874, 2400, -795, 1724, 6904),
    'Leica M9': (6687, -1751, -291, -3556, 11373, 2492, -548, 2204, 7146),
}
SRGB_TO_XYZ = np.array(  # IEC 61966-2-1, D65
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def colour_matrix(name: str) -> np.ndarray:
    """XYZ to camera RGB, (3, 3), of a camera of the table."""
    return np.reshape(COLOUR_MATRICES[name], (3, 3)) / 1e4


def illuminant_xyz(kelvin: float) -> np.ndarray:
    """XYZ with Y = 1 of a black body of 1,667 to 25,000 K, (3,): the cubic fit of Kim et al., US patent 7,024,034."""
    t = 1e3 / kelvin
    if kelvin <= 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin <= 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin <= 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return np.array([x / y, 1.0, (1 - x - y) / y])
