"""Cutting, joining, and what a pixel sees."""

import itertools

import pytest
import torch
from torch import nn

from rawtoolbox.backbones import AWNetRaw, LiteISPNet, MWISPNet, PyNET, SRResNet
from rawtoolbox.inference.tiles.memory import bytes_per_sample, choose_tile, free_memory
from rawtoolbox.inference.tiles.plan import blend_weights, pad_to_multiple, plan_axis, plan_tiles, run_tiled
from rawtoolbox.inference.tiles.pools import FrameStatistics, LocalMean
from rawtoolbox.inference.tiles.receptive_field import derivative_profile, receptive_field
from rawtoolbox.inference.tiles.statistics import frame_version, has_global_layers, local_version

PLANS = [
    (96, 48, 16, 8),
    (200, 40, 24, 8),
    (1984, 400, 166, 8),
    (56, 48, 40, 8),
    (77, 20, 6, 1),
    (32, 64, 8, 8),
]


@pytest.mark.parametrize(('length', 'tile', 'overlap', 'multiple'), PLANS)
def test_cores_make_up_the_axis(length, tile, overlap, multiple):
    spans = plan_axis(length, tile, overlap, multiple)
    assert spans[0].first == 0
    assert spans[-1].last == length
    assert all(before.last == after.first for before, after in itertools.pairwise(spans))
    for span in spans:
        assert 0 <= span.start <= span.first < span.last <= span.stop <= length
        assert span.start % multiple == span.first % multiple == span.stop % multiple == 0
        assert span.stop - span.start == spans[0].stop <= max(tile, multiple)


@pytest.mark.parametrize(('length', 'tile', 'overlap', 'multiple'), PLANS)
def test_neighbours_overlap_enough(length, tile, overlap, multiple):
    spans = plan_axis(length, tile, overlap, multiple)
    for before, after in itertools.pairwise(spans):
        assert before.stop - after.start >= overlap
        # and the border lies in the middle, to the multiple
        assert abs((before.stop - after.first) - (after.first - after.start)) <= 2 * multiple


@pytest.mark.parametrize('scale', [1, 2, 0.5, 4])
@pytest.mark.parametrize(('tile', 'halo', 'blend'), [(64, 8, 16), (80, 16, 32), (40, 4, 0), (200, 4, 8)])
def test_weights_add_up_to_one(tile, halo, blend, scale):
    plan = plan_tiles(160, 160, tile, halo, blend, 8)
    total = torch.zeros(round(160 * scale))
    for span in plan.rows:
        part, weights = blend_weights(span, 160, plan.blend, scale)
        total[part] += weights
        assert (weights >= 0).all()
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)


def test_tiles_are_as_few_and_as_small_as_can_be():
    spans = plan_axis(1984, 480, 168, 8)
    assert len(spans) == 6  # five would reach 5 * (480 - 168) + 168 = 1728
    assert spans[0].stop == 472  # (1984 + 5 * 168) / 6 = 470.7


def test_nothing_within_the_halo_counts():
    plan = plan_tiles(320, 320, 96, 20, 16, 8)
    for span in plan.rows:
        part, _ = blend_weights(span, 320, plan.blend)
        assert span.start == 0 or part.start >= span.start + 20
        assert span.stop == 320 or part.stop <= span.stop - 20


def test_tiles_too_small_for_their_overlap_are_refused():
    with pytest.raises(ValueError, match='at least 56'):
        plan_axis(200, 48, 48, 8)
    with pytest.raises(ValueError, match='expected a multiple of 8, found 30'):
        plan_axis(30, 16, 8, 8)


def test_tiled_equals_untiled_for_a_network_of_known_reach():
    torch.manual_seed(0)
    convolutions = nn.Sequential(
        nn.Conv2d(6, 8, 5, padding=2), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)
    )

    def network(raw, coord):
        return convolutions(torch.cat([raw, coord], 1))

    raw, coord = torch.rand(1, 4, 96, 120), torch.rand(1, 2, 96, 120)
    with torch.no_grad():
        plan = plan_tiles(96, 120, 40, halo=3, blend=8, multiple=8)
        assert len(plan) > 6
        torch.testing.assert_close(run_tiled(network, raw, coord, plan), network(raw, coord)[0])
        raw, coord = raw[..., :94, :94], coord[..., :94, :94]
        short = plan_tiles(94, 94, 32, halo=0, blend=0)
        assert not torch.allclose(run_tiled(network, raw, coord, short), network(raw, coord)[0], atol=1e-3)


def test_padding_mirrors_and_keeps_what_fits():
    image = torch.arange(48.0).reshape(1, 1, 8, 6)
    assert pad_to_multiple(image, 2) is image
    padded = pad_to_multiple(image, 8)
    assert padded.shape == (1, 1, 8, 8)
    assert torch.equal(padded[..., :6], image)
    assert torch.equal(padded[..., 6], image[..., 4])  # mirrored about the last column
    assert pad_to_multiple(image[..., :3, :3], 16).shape == (1, 1, 16, 16)  # less than there is to mirror


def test_receptive_field_of_convolutions_is_that_of_their_kernels():
    torch.manual_seed(0)
    convolutions = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)), nn.PixelShuffle(2))
    for convolution in convolutions[:3]:
        nn.init.constant_(convolution.weight, 0.1)
    profile = derivative_profile(lambda raw, coord: convolutions(raw), 4, 32)
    assert (profile[:4] > 0).all()
    assert (profile[4:] == 0).all()
    assert receptive_field(lambda raw, coord: convolutions(raw), 4) == 4  # distances 0 to 3
    assert receptive_field(lambda raw, coord: convolutions(raw), 4, tolerance=1e3) == 0


def test_what_a_pixel_hardly_sees_is_left_out():
    blur = nn.Conv2d(4, 12, 41, padding=20, bias=False)
    distance = (torch.arange(41) - 20).abs()
    with torch.no_grad():
        blur.weight.copy_((0.3 ** torch.maximum(distance[:, None], distance).float()).expand_as(blur.weight))
    network = nn.Sequential(blur, nn.PixelShuffle(2))
    near, far = (receptive_field(lambda raw, coord: network(raw), tolerance=t) for t in (1e-1, 1e-4))
    assert 3 < near < far < 18


def test_memory_grows_with_the_network():
    narrow, wide = (bytes_per_sample(LiteISPNet(width=width, n_rcab=1)) for width in (8, 16))
    assert 1.7 < wide / narrow < 2.2
    # the tail's 4 * 16 channels in and out of the pixel shuffle, float32, are live at one time
    assert wide >= 2 * 4 * 16 * 4


def test_tile_is_what_fits():
    assert choose_tile(1000, 200_000_000, 0, 8) == 376  # sqrt(2e8 / 1400) = 378
    assert choose_tile(1000, 1, 100, 8) == 104
    assert free_memory() > 1 << 20


NETWORKS = {
    'LiteISPNet': lambda: LiteISPNet(width=4, n_rcab=1),
    'MWISPNet': lambda: MWISPNet(width=4, n_rcab=1),
    'PyNET': lambda: PyNET(width=4),
    'SRResNet': lambda: SRResNet(width=4, blocks=1, scale=1),
    'AWNetRaw': lambda: AWNetRaw(width=8, blocks=(1, 1, 1, 1, 1)),
}


@pytest.mark.parametrize('name', NETWORKS)
@torch.no_grad()
def test_local_statistics_are_the_global_ones_on_a_training_patch(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    assert has_global_layers(network)
    raw, coord = torch.rand(1, 4, 64, 64), torch.rand(1, 2, 64, 64)
    expected = network(raw, coord)
    local = local_version(network, 64)
    # AWNet's pyramid is the exception: windows that are centred on the pixel, not cells of a grid
    tolerance = 1e-3 if name == 'AWNetRaw' else 1e-5
    torch.testing.assert_close(local(raw, coord), expected, atol=tolerance, rtol=0)
    assert torch.equal(network(raw, coord), expected)  # the network that was given is left as it is


@pytest.mark.parametrize('name', ['LiteISPNet', 'PyNET', 'SRResNet'])
@torch.no_grad()
def test_frame_statistics_gathered_in_tiles_are_those_of_the_frame(name):
    """Each layer's statistics, tile by tile, equal the whole frame's once those before it do."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    raw, coord = torch.rand(1, 4, 64, 64), torch.rand(1, 2, 64, 64)
    frame = frame_version(network)
    statistics = FrameStatistics(frame)
    statistics.look_at((0, 1), (0, 1))
    frame(raw, coord)
    assert statistics.freeze() == float('inf')
    torch.testing.assert_close(frame(raw, coord), network(raw, coord), atol=1e-5, rtol=0)
    statistics.forget()
    for rows in ((0, 0.5), (0.5, 1)):
        statistics.look_at(rows, (0, 1))
        frame(raw, coord)
    statistics.freeze()
    torch.testing.assert_close(frame(raw, coord), network(raw, coord), atol=1e-5, rtol=0)
    statistics.look_at((0, 1), (0, 1))
    frame(raw, coord)
    assert statistics.freeze() < 1e-3


def test_pyramid_pooling_has_no_whole_frame_statistics():
    with pytest.raises(ValueError, match="use 'local'"):
        frame_version(AWNetRaw(width=8, blocks=(1, 1, 1, 1, 1)))


def test_windows_are_as_large_as_in_training_and_stay_inside():
    pool = LocalMean()
    pool(torch.zeros(1, 1, 16, 16))  # a training patch
    ramp = torch.arange(64.0).expand(1, 1, 64, 64)
    means = pool(ramp)[0, 0, 0]
    assert torch.equal(means[:8], torch.full((8,), 7.5))  # the first 16 columns
    assert means[32] == torch.arange(25.0, 41).mean()
    assert means[-1] == torch.arange(48.0, 64).mean()


def test_a_layer_of_ones_own_can_be_made_known(monkeypatch):
    from rawtoolbox.inference.tiles import statistics

    class MeanOnly(nn.Module):
        def forward(self, x):
            return x - x.mean((2, 3), keepdim=True)

    class Pooled(nn.Module):
        def __init__(self, layer, new_pool):
            super().__init__()
            self.pool = new_pool()

        def forward(self, x):
            return x - statistics.spread(self.pool(x), x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = MeanOnly()

        def forward(self, raw, coord):
            return self.layer(raw)

    assert not has_global_layers(Network())
    monkeypatch.setitem(statistics.REPLACEMENTS, MeanOnly, Pooled)
    raw = torch.rand(1, 4, 32, 32)
    local = local_version(Network(), 16)
    assert local(raw, raw[:, :2])[0, 0, 0, 0] == pytest.approx(
        float(raw[0, 0, 0, 0] - raw[0, 0, :16, :16].mean()), abs=1e-6
    )
