"""Optimised networks against plain ones, on simulated raw patches."""

import cv2
import pytest
import torch

from rawtoolbox.backbones import LiteISPNet, MWISPNet, SRResNet
from rawtoolbox.deployment.fold import fold_network
from rawtoolbox.deployment.fuse import ConvReLU, FusedRCAB, channel_means, fuse_relu
from rawtoolbox.deployment.optimize import (
    Kept,
    faster_dtype,
    limit_threads,
    optimize_for_inference,
    pad_width,
    usable_cpus,
)
from rawtoolbox.inference.tiles.statistics import local_version
from rawtoolbox.ops.bayer import pack_mosaic
from rawtoolbox.ops.coord import coord_map

LEAST = {torch.float32: 100, torch.bfloat16: 60, torch.float16: 70}  # dB between plain and optimised


@pytest.fixture(scope='module')
def pairs(demo_data):
    """Packed raws (N, 4, 48, 48), their coordinates and photographs."""
    raws, photos = [], []
    for path in sorted((demo_data / 'train' / 'huawei_raw').glob('*.png'))[:4]:
        mosaic = torch.from_numpy(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype('float32'))
        raws.append(pack_mosaic((mosaic[None, None] - 63).clamp(min=0) / 957))
        photo = cv2.imread(str(demo_data / 'train' / 'aligned' / path.name))
        photos.append(torch.from_numpy(photo[None, ..., ::-1].copy()).permute(0, 3, 1, 2) / 255)
    return torch.cat(raws), coord_map(48, 48).expand(4, 2, 48, 48), torch.cat(photos)


def trained(network, pairs, steps=25):
    """A network whose output looks like a photograph, so that differences mean what they say."""
    raw, coord, photo = pairs
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.l1_loss(network(raw, coord), photo).backward()
        optimiser.step()
    return network.eval()


@pytest.fixture(scope='module')
def lite(pairs):
    torch.manual_seed(0)
    return trained(LiteISPNet(8, 1), pairs)


def decibels(first, second):
    """PSNR over a batch, against 1, not rounded to 8 bit."""
    return -10 * (first.double() - second.double()).square().mean().log10().item()


def check_agrees(network, pairs, dtype):
    raw, coord, photo = pairs
    fast = optimize_for_inference(network, 'cpu', dtype)
    with torch.inference_mode():
        expected, found = network(raw, coord), fast(raw, coord)
    assert found.dtype == torch.float32 and found.shape == photo.shape
    assert decibels(expected, photo) > 14  # a picture, not noise
    assert decibels(found, expected) >= LEAST[dtype]


@pytest.mark.parametrize('dtype', LEAST, ids=str)
def test_liteispnet_agrees_on_photographs(lite, pairs, dtype):
    check_agrees(lite, pairs, dtype)


@pytest.fixture(
    scope='module', params=[lambda: MWISPNet(8, 1), lambda: SRResNet(1, 4, 1)], ids=['MW-ISPNet', 'SRResNet']
)
def another(request, pairs):
    """A network that is folded, and one that runs under autocast."""
    torch.manual_seed(0)
    return trained(request.param(), pairs)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16], ids=str)
def test_other_networks_agree(another, pairs, dtype):
    check_agrees(another, pairs, dtype)


def test_statistics_over_windows_are_kept(lite, pairs):
    raw, coord, _ = pairs
    local = local_version(lite, 8)
    fast = optimize_for_inference(local, 'cpu')
    with torch.inference_mode():
        found = fast(raw, coord)
        windows, whole = decibels(found, local(raw, coord)), decibels(found, lite(raw, coord))
    assert windows >= 100 and windows > whole + 10
    assert not any(isinstance(module, FusedRCAB) for module in fast.modules())


def test_the_network_is_left_alone(lite, pairs):
    before = {name: value.clone() for name, value in lite.state_dict().items()}
    optimize_for_inference(lite, 'cpu', torch.bfloat16)
    assert all(torch.equal(value, before[name]) for name, value in lite.state_dict().items())
    assert all(parameter.requires_grad for parameter in lite.parameters())


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16], ids=str)
def test_means_are_means(dtype):
    x = torch.rand(2, 6, 40, 50).to(dtype).contiguous(memory_format=torch.channels_last)
    found = channel_means(x)
    assert found.shape == (2, 6, 1, 1) and found.dtype == dtype
    torch.testing.assert_close(found, x.double().mean((2, 3), keepdim=True).to(dtype), rtol=0.01, atol=0)


def test_relus_join_their_convolutions():
    torch.manual_seed(0)
    convs = [torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.Conv2d(5, 5, 3, stride=2, padding_mode='reflect')]
    plain = torch.nn.Sequential(convs[0], torch.nn.ReLU(), convs[1], torch.nn.ReLU(), torch.nn.ReLU())
    x = torch.randn(2, 3, 8, 12)
    with torch.no_grad():
        expected = plain(x)
        found = fuse_relu(plain)
        torch.testing.assert_close(found(x), expected, rtol=0, atol=1e-6)
    assert [isinstance(module, ConvReLU) for module in found] == [True, False, False, False, False]


def test_padded_channels_change_nothing():
    network = LiteISPNet(6, 1).double()
    raw, coord = torch.rand(1, 4, 16, 16).double(), torch.rand(1, 2, 16, 16).double()
    padded = fold_network(network)
    pad_width(padded, 16)
    assert padded.join.out_channels == padded.place.out_channels == 16
    assert {c.in_channels for c in padded.down1.modules() if isinstance(c, torch.nn.Conv2d)} == {16, 4}
    with torch.no_grad():
        torch.testing.assert_close(padded(raw, coord), network(raw, coord), rtol=0, atol=1e-13)


def test_place_is_kept_while_it_is_the_same():
    calls = []
    kept = Kept(lambda x: calls.append(1) or 2 * x)
    x = torch.rand(2, 3)
    first, again = kept(x), kept(x.clone())
    assert again is first and len(calls) == 1
    x += 1  # in place: what was kept must not follow
    assert torch.equal(kept(x), 2 * x) and len(calls) == 2
    assert torch.equal(kept(x[:1]), 2 * x[:1])


def test_coordinates_that_move_are_noticed(lite, pairs):
    raw, coord, _ = pairs
    fast = optimize_for_inference(lite, 'cpu')
    with torch.inference_mode():
        fast(raw, coord)
        assert decibels(fast(raw, 0.5 * coord), lite(raw, 0.5 * coord)) >= 100


def test_the_faster_type_is_measured():
    assert faster_dtype(torch.device('cpu')) in (torch.float32, torch.bfloat16)
    with pytest.raises(
        ValueError, match='dtype: expected float32, bfloat16, float16 or None, found torch.int8'
    ):
        optimize_for_inference(MWISPNet(4, 1), dtype=torch.int8)


def test_threads_follow_the_cpus_that_may_be_used(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    try:
        torch.set_num_threads(usable_cpus() + 2)
        limit_threads()
        assert torch.get_num_threads() == usable_cpus()
        monkeypatch.setenv('OMP_NUM_THREADS', '64')
        torch.set_num_threads(usable_cpus() + 1)
        limit_threads()
        assert torch.get_num_threads() == usable_cpus() + 1  # the user has decided
    finally:
        torch.set_num_threads(before)
