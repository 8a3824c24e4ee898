import numpy as np

from rawtoolbox.simulation.dead_leaves import dead_leaves, octaves, power_law


def test_a_picture_is_a_function_of_its_generator():
    first, again, other = (dead_leaves(np.random.default_rng(seed), (40, 60)) for seed in (0, 0, 1))
    assert first.shape == (40, 60, 3)
    assert first.dtype == np.float32
    assert 0 <= first.min() < first.max() <= 1
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_part_has_something_to_line_up():
    picture = dead_leaves(np.random.default_rng(2), (128, 128)).mean(2)
    blocks = picture.reshape(4, 32, 4, 32).std((1, 3))
    assert blocks.min() > 0.01


def test_radii_follow_the_power_law():
    radii = power_law(np.random.default_rng(0), 20_000, 1, 50)
    assert 1 <= radii.min() < radii.max() <= 50
    # of the density r^-3, (1/4 - 1/2500) / (1 - 1/2500) lie above 2
    assert abs((radii > 2).mean() - 0.2497) < 0.01


def test_octaves_are_normalised_and_smoother_with_less_persistence():
    def roughness(persistence):
        noise = octaves(np.random.default_rng(0), (64, 64), persistence)
        np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=1e-5)
        return np.abs(np.diff(noise)).mean()

    assert roughness(0.4) < roughness(0.9)
