"""From camera-linear RGB to a picture: colours against colour-science, highlights by ramps of grey."""

import numpy as np
import pytest
import torch

from rawtoolbox.ops.colour import srgb_to_linear
from rawtoolbox.raw.dng_colour import ColourProfile, Illuminant, balanced_to_xyz, neutral_to_xy, xy_to_neutral
from rawtoolbox.raw.render import CameraColour, RenderSettings, camera_colour, render
from rawtoolbox.raw.white_point import D50, D65, temperature_to_xy, xy_to_temperature, xy_to_xyz

# a camera under standard light A (made up) and under D65 (of a full-frame camera)
COOL = np.array([[0.8100, -0.1900, -0.0600], [-0.3500, 1.1000, 0.2900], [-0.0100, 0.0800, 0.6600]])
HOT = np.array([[0.7034, -0.0804, -0.1014], [-0.4420, 1.2564, 0.2058], [-0.0851, 0.1994, 0.5758]])
PROFILE = ColourProfile((Illuminant(2856, COOL), Illuminant(6504, HOT)))
LIGHTS = {'A': (0.44757, 0.40745), 'D50': D50, 'D65': D65, 'F11': (0.38052, 0.37713), 'candle': (0.51, 0.415)}


def grey_ramp(neutral, saturation=(1, 1, 1)):
    steps = torch.linspace(0, 4, 401, dtype=torch.float64)
    camera = steps * torch.tensor(neutral / neutral.max())[:, None]
    return camera.minimum(torch.tensor(saturation, dtype=torch.float64)[:, None])[:, None, :]


@pytest.mark.parametrize('curve', ['neutral', 'srgb', 'linear'])
@pytest.mark.parametrize('saturation', [(1, 1, 1), (0.83, 0.83, 0.83), (0.8, 1, 0.9)])
@pytest.mark.parametrize('light', LIGHTS)
def test_grey_is_grey_and_rises_at_every_exposure(light, saturation, curve):
    neutral = xy_to_neutral(PROFILE, LIGHTS[light])
    colour = camera_colour(PROFILE, 1 / neutral, saturation)
    image = render(grey_ramp(neutral, saturation), colour, RenderSettings(curve=curve))[:, 0]
    assert (image.diff(dim=1) > -1e-3).all()
    assert (image.amax(0) - image.amin(0)).max() < 0.02
    assert (image[:, -1] > 0.998).all()


def test_a_saturated_red_lamp_stays_red():
    neutral = xy_to_neutral(PROFILE, D65)
    colour = camera_colour(PROFILE, 1 / neutral)
    lamp = torch.tensor([1.0, 0.1, 0.05])[:, None, None]
    red, green, blue = render(lamp, colour).flatten().tolist()
    assert red > 0.99 and max(green, blue) < 0.7


def test_without_green_a_saturated_pixel_is_never_magenta():
    neutral = xy_to_neutral(PROFILE, D65)
    colour = camera_colour(PROFILE, 1 / neutral)
    # a white wall: green saturates at 1, red and blue measure on
    wall = torch.tensor(1.6 * neutral, dtype=torch.float32).clamp(max=1)[:, None, None]
    red, green, blue = render(wall, colour).flatten().tolist()
    assert green >= max(red, blue) - 0.02


@pytest.mark.parametrize('space', ['srgb', 'p3', 'rec2020'])
def test_out_of_gamut_colours_are_told_apart(space):
    colour = CameraColour((1, 1, 1), balanced_to_xyz(PROFILE, xy_to_neutral(PROFILE, D65)))
    greens = torch.tensor([[0.0, 0.02, 0.04, 0.06], [0.5] * 4, [0.0, 0.02, 0.04, 0.06]])[:, None, :]
    image = render(greens, colour, RenderSettings(space=space, curve='linear'))
    assert (image[1] >= image[0]).all() and image.min() >= 0
    assert (image[0, 0].diff() > 0).all() or (image[2, 0].diff() > 0).all()


def test_tiles_give_what_the_frame_gives_and_exposure_doubles():
    colour = camera_colour(PROFILE, 1 / xy_to_neutral(PROFILE, D50))
    image = torch.rand(3, 300, 40, generator=torch.Generator().manual_seed(0))
    whole = render(image, colour)
    assert torch.allclose(whole[:, 37:205, 5:30], render(image[:, 37:205, 5:30], colour), atol=1e-6)
    linear = [render(image * 0.1, colour, RenderSettings(ev=ev, curve='linear')) for ev in (0, 1)]
    assert torch.allclose(linear[1], 2 * linear[0], atol=1e-6)


def test_wrong_settings():
    for wrong in ({'curve': 'log'}, {'space': 'adobe'}, {'ev': float('nan')}):
        with pytest.raises(ValueError, match='expected'):
            RenderSettings(**wrong)
    with pytest.raises(ValueError, match='gains'):
        CameraColour((1, 0, 1), np.eye(3))


class TestColourChecker:
    """Patches by their spectra under four lights, through a camera of two matrices."""

    @pytest.fixture
    def colour(self):
        return pytest.importorskip('colour')

    def patches(self, colour, light):
        """(24, 3) XYZ under a light, and its chromaticity by the same integration."""
        shape = colour.SpectralShape(380, 780, 5)
        observer = colour.MSDS_CMFS['CIE 1931 2 Degree Standard Observer'].copy().align(shape)
        source = {'F11': 'FL11'}.get(light, light)
        illuminant = colour.SDS_ILLUMINANTS[source].copy().align(shape)
        reflectances = colour.SDS_COLOURCHECKERS['ISO 17321-1'].values()

        def integrate(spectrum):
            return colour.sd_to_XYZ(spectrum.copy().align(shape), observer, illuminant) / 100

        white = integrate(colour.sd_ones(shape))
        return np.array([integrate(spectrum) for spectrum in reflectances]), tuple(white[:2] / white.sum())

    def errors(self, colour, xyz, white, image):
        wanted = colour.XYZ_to_Lab(colour.chromatic_adaptation(xyz, xy_to_xyz(white), xy_to_xyz(D65)), D65)
        linear = image[:, 0].T.double().numpy()
        found = colour.XYZ_to_Lab(colour.RGB_to_XYZ(linear, 'sRGB'), D65)
        return colour.delta_E(wanted, found, method='CIE 2000')

    @pytest.mark.parametrize('light', ['A', 'D50', 'D65', 'F11'])
    def test_mean_error(self, colour, light):
        xyz, white = self.patches(colour, light)
        neutral = xy_to_neutral(PROFILE, white)
        raw = xyz @ PROFILE.xyz_to_camera(white).T
        image = torch.tensor(raw.T / raw.max())[:, None, :].clamp(min=0)
        settings = RenderSettings(curve='linear')
        by_book = camera_colour(PROFILE, 1 / neutral)
        by_one = camera_colour(ColourProfile((Illuminant(6504, HOT),)), 1 / neutral)
        book, one = (render(image, camera, settings).double() for camera in (by_book, by_one))
        level = xyz[18, 1] / (book[:, 0, 18].mean())  # the white patch tells the exposure
        error, of_one = (self.errors(colour, xyz, white, image * level).mean() for image in (book, one))
        assert error <= 1.5
        if light == 'A':
            assert of_one > max(2, 2 * error)


@pytest.mark.parametrize('light', LIGHTS)
def test_light_is_found_from_neutral(light):
    found = neutral_to_xy(PROFILE, 0.3 * xy_to_neutral(PROFILE, LIGHTS[light]))
    assert found == pytest.approx(LIGHTS[light], abs=1e-6)


def test_forward_matrix_calibration_and_balance():
    forward = np.array([[0.7034, 0.1, 0.1609], [0.26, 0.72, 0.02], [0.02, 0.01, 0.7949]])
    calibration, balance = np.diag([1.1, 1.0, 0.9]), (1.3, 1.0, 0.8)
    profile = ColourProfile((Illuminant(6504, HOT, forward, calibration),), balance)
    neutral = xy_to_neutral(profile, D65)
    # calibration and balance are in the raw values and in the neutral alike: colours do not depend on them
    plain = ColourProfile((Illuminant(6504, HOT, forward),))
    assert balanced_to_xyz(profile, neutral) == pytest.approx(
        balanced_to_xyz(plain, xy_to_neutral(plain, D65))
    )
    assert balanced_to_xyz(profile, neutral) @ np.ones(3) == pytest.approx(forward.sum(1))


def test_interpolation_is_in_reciprocal_temperature_and_takes_three_lights():
    third = Illuminant(3800, (COOL + HOT) / 2)
    profile = ColourProfile((Illuminant(6504, HOT), third, Illuminant(2856, COOL)))
    middle = temperature_to_xy(2 / (1 / 3800 + 1 / 6504))
    assert profile.at(middle).color_matrix == pytest.approx(0.5 * third.color_matrix + 0.5 * HOT, abs=1e-4)
    assert profile.at(temperature_to_xy(2000)).color_matrix == pytest.approx(COOL)
    assert profile.at(temperature_to_xy(20000)).color_matrix == pytest.approx(HOT)


@pytest.mark.parametrize('kelvin', [2000, 2856, 4000, 6504, 12000])
@pytest.mark.parametrize('tint', [-20, 0, 15])
def test_temperature_and_tint_there_and_back(kelvin, tint):
    assert xy_to_temperature(temperature_to_xy(kelvin, tint)) == pytest.approx(
        (kelvin, tint), rel=1e-3, abs=0.05
    )


def test_temperatures_of_standard_lights():
    assert xy_to_temperature(LIGHTS['A'])[0] == pytest.approx(2856, rel=5e-3)
    assert xy_to_temperature(D65)[0] == pytest.approx(6504, rel=5e-3)


def test_rendered_linear_is_what_srgb_encodes():
    colour = camera_colour(PROFILE, 1 / xy_to_neutral(PROFILE, D65))
    image = torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(1)) * 0.3
    encoded, linear = (render(image, colour, RenderSettings(curve=curve)) for curve in ('srgb', 'linear'))
    assert torch.allclose(srgb_to_linear(encoded), linear, atol=1e-5)
