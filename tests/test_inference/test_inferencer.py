"""From a raw file to a picture, in process and as a user runs it."""

import dataclasses
import io
import json
import runpy
import sys

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image, ImageCms
from torch import nn

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.inference.camera_adaptation import adapted_mosaic, map_colours, network_input
from rawtoolbox.inference.develop_files import develop_files, find_files, output_paths, side_by_side
from rawtoolbox.inference.inferencer import Inferencer, read_frame
from rawtoolbox.inference.trained import TrainedNetwork, load_trained
from rawtoolbox.layers.rcab import RCAB
from rawtoolbox.ops.bayer import bayer_mosaic
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.raw import Exposure, write_dng
from rawtoolbox.raw.camera import Camera, read_camera
from rawtoolbox.raw.camera_colour import srgb_to_camera_matrix
from rawtoolbox.raw.frame import make_frame
from rawtoolbox.raw.photo import quantise, write_photo
from rawtoolbox.raw.render import CameraColour
from rawtoolbox.raw.white_balance import estimate_gains
from rawtoolbox.simulation.cameras import phone_camera
from rawtoolbox.weights.checkpoint import publish

NIKON = np.array([[0.9020, -0.2890, -0.0715], [-0.4535, 1.2436, 0.2348], [-0.0934, 0.1919, 0.7086]])
NIKON_GAINS = (1.95, 1.0, 1.34)
TINY = {'type': 'LiteISPNet', 'width': 4, 'n_rcab': 1}


def scene(height=96, width=128, seed=0):
    """A mosaic whose left is much brighter than its right, so that every tile has other statistics."""
    y, x = np.mgrid[:height, :width]
    light = 0.1 + 0.7 * (x < width / 3) + 0.1 * np.sin(y / 9)
    light = light + 0.02 * np.random.default_rng(seed).standard_normal(light.shape)
    return (63 + 957 * light.clip(0, 1)).astype(np.uint16)


def frame(mosaic=None, **metadata):
    return make_frame(scene() if mosaic is None else mosaic, 'RGGB', 63, 1020, **metadata)


class Attentive(nn.Module):
    """Two blocks of strong channel attention within a few pixels' reach."""

    raw_input = RawInput(multiple=4)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(4, 8, 3, padding=1),
            RCAB(8),
            RCAB(8),
            nn.Conv2d(8, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if 'attention' in name and name.endswith('weight'):
                    weight.mul_(8)

    def forward(self, raw, coord):
        return 0.5 + self.body(raw)


class Coordinates(nn.Module):
    """A picture of the coordinates that the network is given."""

    def forward(self, raw, coord):
        picture = torch.cat([0.5 + 0.5 * coord, raw[:, :1]], 1)
        return picture.repeat_interleave(2, 2).repeat_interleave(2, 3)


def trained(network=None, **conditions):
    network = network or Attentive()
    return TrainedNetwork(
        network, getattr(network, 'raw_input', RawInput()), **{'patch_size': 64, **conditions}
    )


def half_grey(raw, coord):
    return torch.full((1, 3, 2 * raw.shape[2], 2 * raw.shape[3]), 0.5)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A published network that knows the simulated phone."""
    folder = tmp_path_factory.mktemp('checkpoint')
    torch.manual_seed(0)
    network = LiteISPNet(width=4, n_rcab=1)
    model = {'backbone': TINY, 'data_preprocessor': {'crop_size': 64, 'black_level': 60, 'white_level': 1000}}
    state = {f'backbone.{name}': tensor for name, tensor in network.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'model': model}}, folder / 'run.pth')
    extra = {'preprocessor': model['data_preprocessor'], 'camera': phone_camera().to_plain()}
    publish(folder / 'run.pth', folder / 'tiny.safetensors', TINY, extra)
    return folder / 'tiny.safetensors'


@pytest.fixture
def dng(tmp_path):
    gains = 1 / np.array(NIKON_GAINS)
    exposure = Exposure(iso=200, shutter=1 / 250, aperture=2.8)
    return write_dng(
        tmp_path / 'photo é.dng', scene(64, 96), 'RGGB', 63, 1020, gains, NIKON, 6, exposure=exposure
    )


def tool(monkeypatch, name, *arguments):
    """Runs a tool in this process; its exit status."""
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
    return end.value.code


def test_whole_frame_statistics_tiled_equal_the_untiled_network():
    network = trained()
    develop = {
        name: Inferencer(network, statistics=kind, tile=tile, passes=passes, margin=0)
        for name, kind, tile, passes in [
            ('whole', 'frame', 0, 2),
            ('two passes', 'frame', 220, 2),
            ('three passes', 'frame', 220, 3),
            ('each its own', 'tile', 220, 2),
        ]
    }
    picture = frame(scene(320, 480))
    images = {name: inferencer.develop(picture).image for name, inferencer in develop.items()}
    assert len(develop['two passes'].plan(160, 240)) >= 6
    with torch.no_grad():
        raw = network_input(torch.from_numpy((picture.mosaic - 63.0) / 957).float()[None, None], network)
        expected = network.network(*raw)[0].clamp(0, 1)
    torch.testing.assert_close(images['whole'], expected)
    error = {name: float((image - expected).abs().max()) for name, image in images.items()}
    assert error['each its own'] > 5 / 255
    assert error['two passes'] < 1 / 255
    assert error['three passes'] < 1e-5  # each pass makes one more of the two layers exact


def test_local_statistics_leave_no_seam():
    """Steps across the borders of tiles are no larger than elsewhere, and nearly those without tiles."""
    inferencer = Inferencer(trained(), tile=220, verify=True)
    assert inferencer.statistics == 'local'
    light = 63 + 900 * np.mgrid[:320, :480][1] / 480  # smooth: all that could be seen is a seam
    developed = inferencer.develop(frame(light.astype(np.uint16)))
    steps = (developed.image[..., 1:] - developed.image[..., :-1]).abs().mean((0, 1))
    plan = inferencer.plan(160, 240)
    borders = [2 * span.first - 1 for span in plan.columns[1:]]
    assert len(borders) >= 2
    for border in borders:
        near = steps[border - 40 : border + 41]
        assert near[38:43].max() <= near.max()
        assert near[40] <= 1.5 * near.median()
    assert developed.difference < 1 / 255


def test_each_tile_gets_its_slice_of_the_coordinate_map():
    inferencer = Inferencer(trained(Coordinates()), tile=140)
    assert inferencer.halo <= 1
    image = inferencer.develop(frame(scene(256, 320))).image
    assert len(inferencer.plan(128, 160)) >= 9
    expected = 0.5 + 0.5 * coord_map(128, 160).repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(image[:2], expected, atol=1e-6, rtol=0)


class Average(nn.Module):
    """Each pixel's colours as the mean over 5x5 samples, with zeros beyond the border, as networks have it."""

    raw_input = RawInput(order=('R', 'Gr', 'Gb', 'B'))

    def forward(self, raw, coord):
        rgb = torch.stack([raw[:, 0], raw[:, 1:3].mean(1), raw[:, 3]], 1)
        smooth = torch.nn.functional.avg_pool2d(rgb, 5, stride=1, padding=2)
        return smooth.repeat_interleave(2, 2).repeat_interleave(2, 3)


def decibels(first, second):
    return float(-10 * torch.log10((first - second).square().mean()))


@pytest.mark.parametrize(('top', 'left', 'cfa'), [(1, 0, 'GBRG'), (0, 1, 'GRBG'), (1, 1, 'BGGR')])
def test_the_phase_that_a_scene_comes_in_does_not_matter_to_its_border(top, left, cfa):
    y, x = np.mgrid[:96, :128]
    mosaic = (300 + 2 * y + x + 40 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint16)
    one, other = frame(mosaic), make_frame(mosaic[top:, left:], cfa, 63, 1020)
    assert other.crop_offset == (top, left)
    for margin, least, most in ((16, 45, 99), (0, 0, 40)):
        develop = Inferencer(trained(Average()), tile=0, margin=margin).develop
        height, width = other.mosaic.shape
        same = develop(one).image[:, 2 * top :, 2 * left :][:, :height, :width]
        assert least < decibels(same, develop(other).image) < most


def test_a_margin_leaves_an_even_picture_even_up_to_its_border():
    grey = frame(np.full((34, 50), 500, np.uint16))
    level = (500 - 63) / (1020 - 63)
    for tta in (False, True):
        image = Inferencer(trained(Average()), tile=0, tta=tta).develop(grey).image
        torch.testing.assert_close(image, torch.full_like(image, level))
    assert Inferencer(trained(Average()), tile=0, margin=0).develop(grey).image.min() < 0.5 * level
    tiny = frame(np.full((6, 8), 500, np.uint16))  # less than a margin
    torch.testing.assert_close(
        Inferencer(trained(Average()), tile=0).develop(tiny).image, torch.full((3, 6, 8), level)
    )
    with pytest.raises(ValueError, match='margin: expected an even number'):
        Inferencer(trained(Average()), margin=3)


@pytest.mark.parametrize(('height', 'width'), [(96, 128), (70, 54), (34, 130)])
def test_any_size_comes_back_as_it_was(height, width):
    image = Inferencer(trained(), tile=0).develop(frame(scene(height, width))).image
    assert image.shape == (3, height, width)
    assert 0 <= image.min() <= image.max() <= 1


def test_ensemble_of_a_constant_is_the_constant_and_of_a_network_is_near_it():
    image = Inferencer(trained(half_grey), tile=0, tta=True).develop(frame()).image
    torch.testing.assert_close(image, torch.full_like(image, 0.5))
    one, eight = (Inferencer(trained(), tile=0, tta=tta).develop(frame()).image for tta in (False, True))
    assert 0 < (one - eight).abs().mean() < 0.1


def test_bfloat16_is_near_float32():
    one, other = (
        Inferencer(trained(), tile=0, dtype=kind).develop(frame()).image for kind in ('float32', 'bfloat16')
    )
    assert other.dtype == torch.float32
    assert (one - other).abs().max() < 0.03


def test_any_callable_can_compute_in_place_of_the_network():
    developed = Inferencer(trained(), backend=half_grey, tile=0)(
        scene(), cfa='RGGB', black_level=63, white_level=1020
    )
    assert torch.equal(developed.image, torch.full((3, 96, 128), 0.5))
    assert developed.seconds.keys() == {'reading', 'network'}


def test_arguments_that_make_no_sense():
    for arguments in ({'dtype': 'int8'}, {'statistics': 'global'}, {'passes': 1}):
        with pytest.raises(ValueError, match=f'{next(iter(arguments))}: expected'):
            Inferencer(trained(), **arguments)
    with pytest.raises(ValueError, match=r'tile: 20 pixels .* choose \d+ or more'):
        Inferencer(trained(), tile=20).develop(frame())
    with pytest.raises(ValueError, match='does not say its cfa, black_level'):
        read_frame(scene(), white_level=1020)
    with pytest.raises(ValueError, match=r'develop without tiles \(tile=0\)'):
        Inferencer(trained(half_grey), tile=40).develop(frame())


def test_levels_are_those_of_training_for_every_input_convention():
    linear = torch.rand(1, 1, 8, 8)
    kept = trained(half_grey, black_level=60.0, white_level=1000.0)
    raw, coord = network_input(linear, kept)
    assert raw.shape == (1, 4, 4, 4)
    assert coord.shape == (1, 2, 4, 4)
    torch.testing.assert_close(raw[0, 2], linear[0, 0, ::2, ::2])  # B, Gr, R, Gb
    unsubtracted = TrainedNetwork(half_grey, RawInput(subtract_black=False), 60.0, 1000.0)
    torch.testing.assert_close(network_input(linear, unsubtracted)[0], 0.06 + 0.94 * raw)
    resized = TrainedNetwork(half_grey, RawInput('plane_resized', scale=1), 60.0, 1000.0)
    assert network_input(linear, resized)[0].shape == (1, 3, 8, 8)
    with pytest.raises(ValueError, match='cannot develop a raw file'):
        network_input(linear, TrainedNetwork(half_grey, RawInput('rgb')))


def camera_mosaic(colours, xyz_to_camera, gains):
    """What a camera records of linear sRGB colours (3, N), a flat 16x16 patch each."""
    values = srgb_to_camera_matrix(xyz_to_camera) @ colours / np.array(gains)[:, None]
    planes = torch.from_numpy(values).float()[None, :, None].repeat_interleave(16, 3).expand(1, 3, 16, -1)
    return bayer_mosaic(planes)


def test_adapted_colours_are_what_the_training_camera_records():
    colours = np.array([[0.2, 0.5, 0.3, 0.1], [0.2, 0.3, 0.4, 0.3], [0.2, 0.2, 0.1, 0.4]])
    phone = phone_camera()
    taken = camera_mosaic(colours, NIKON, NIKON_GAINS)
    values = (600 + 14920 * taken[0, 0]).round().numpy().astype(np.uint16)
    picture = make_frame(values, 'RGGB', 600, 15520, as_shot_gains=NIKON_GAINS, xyz_to_camera=NIKON)
    mosaic, notices = adapted_mosaic(picture, phone)
    assert notices == []
    expected = camera_mosaic(colours, phone.xyz_to_camera, phone.gains)
    inside = [slice(16 * index + 4, 16 * index + 12) for index in range(4)]
    for part in inside:
        torch.testing.assert_close(mosaic[..., 4:12, part], expected[..., 4:12, part], atol=2e-3, rtol=0)


def test_saturated_stays_saturated():
    matrix = torch.tensor([[0.7, 0.1, 0.0], [0.1, 0.8, 0.0], [0.0, 0.1, 0.6]])
    colour = CameraColour((1, 1, 1), np.eye(3))
    assert torch.equal(map_colours(torch.ones(1, 1, 8, 8), colour, matrix), torch.ones(1, 1, 8, 8))
    grey = map_colours(torch.full((1, 1, 8, 8), 0.5), colour, matrix)
    torch.testing.assert_close(grey[0, 0, 0, :2], torch.tensor([0.4, 0.45]))


def test_what_cannot_be_adapted_is_said():
    phone = phone_camera()
    assert 'does not say what its camera was' in adapted_mosaic(frame(), None)[1][0]
    balance, matrix = adapted_mosaic(frame(), phone)[1]
    assert 'guessed from the picture' in balance
    assert 'only the white balance' in matrix
    gains = {'as_shot_gains': NIKON_GAINS}
    assert adapted_mosaic(frame(**gains), phone)[1] == [matrix]
    grey = torch.full((1, 3, 8, 8), 0.2) * torch.tensor([0.5, 1.0, 0.8])[:, None, None]
    assert estimate_gains(bayer_mosaic(grey)) == pytest.approx((2, 1, 1.25))


def test_a_frame_that_its_camera_balanced_is_not_balanced_twice():
    daylight = {'daylight_gains': NIKON_GAINS, 'xyz_to_camera': NIKON}
    grey = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(0)).expand(1, 3, -1, -1)
    balanced, plain = (
        frame((63 + 957 * bayer_mosaic(light)[0, 0]).numpy().astype(np.uint16), **daylight)
        for light in (grey, grey / torch.tensor(NIKON_GAINS)[:, None, None])
    )
    develop = Inferencer(trained(half_grey), tile=0).develop
    assert develop(balanced).frame.white_balance == (1, 1, 1)
    assert 'gains of 1 are used' in develop(balanced).notices[-1]
    assert develop(plain).frame.white_balance == NIKON_GAINS and not develop(plain).notices
    by_hand = dataclasses.replace(balanced, as_shot_gains=(2.0, 1.0, 1.5))
    assert develop(by_hand).frame.white_balance == (2.0, 1.0, 1.5)


def test_checkpoint_alone_is_enough(checkpoint):
    loaded, run = load_trained(checkpoint), load_trained(checkpoint.with_name('run.pth'))
    assert (loaded.black_level, loaded.white_level, loaded.patch_size) == (60, 1000, 64)
    assert loaded.raw_input == LiteISPNet.raw_input
    assert loaded.camera.gains == pytest.approx((2.15, 1, 1.7))
    np.testing.assert_array_equal(loaded.camera.xyz_to_camera, phone_camera().xyz_to_camera)
    assert run.camera is None
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, loaded.network.state_dict()[name])
    assert not loaded.network.training


def test_checkpoint_without_a_config(tmp_path):
    torch.save({'state_dict': LiteISPNet(width=4).state_dict()}, tmp_path / 'bare.pth')
    with pytest.raises(ValueError, match=r'does not say which network .*--config'):
        load_trained(tmp_path / 'bare.pth')


def test_publish_writes_the_camera_of_a_file(checkpoint, dng, tmp_path, monkeypatch, capsys):
    camera = read_camera(dng)
    assert camera.gains == pytest.approx(NIKON_GAINS, rel=1e-3)
    assert camera.name == 'rawtoolbox mosaic'
    again = Camera.from_plain(json.loads(json.dumps(camera.to_plain())))
    np.testing.assert_allclose(again.xyz_to_camera, NIKON, atol=1e-3)
    no_matrix = write_dng(tmp_path / 'none.dng', scene(64, 64), 'RGGB', 63, 1020)
    with pytest.raises(ValueError, match='no colour matrix is known'):
        read_camera(no_matrix)
    out = tmp_path / 'published.safetensors'
    arguments = ('configs/gcm_liteisp_demo.py', checkpoint.with_name('run.pth'), out, '--camera', dng)
    monkeypatch.chdir(ROOT)
    assert tool(monkeypatch, 'publish.py', *arguments) == 0
    assert 'sha256' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'b.png'])
def test_picture_carries_profile_camera_and_exposure(tmp_path, dng, name):
    picture, bits = read_frame(dng), 16 if name == 'b.png' else 8
    image = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(0))
    write_photo(tmp_path / name, image, picture, bits=bits)
    with Image.open(tmp_path / name) as written:
        assert written.size == (64, 96)  # turned upright
        profile = ImageCms.getProfileDescription(
            ImageCms.ImageCmsProfile(io.BytesIO(written.info['icc_profile']))
        )
        exif = written.getexif()
        folder = exif.get_ifd(0x8769)
    assert 'sRGB' in profile
    assert exif[0x0110] == 'rawtoolbox mosaic'
    assert exif[0x0112] == 1
    assert (folder[0x829A], folder[0x829D], folder[0x8827]) == (1 / 250, 2.8, 200)
    if name != 'a.jpg':
        pixels = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)[..., ::-1]
        np.testing.assert_array_equal(pixels, np.rot90(quantise(image, bits), -1))  # orientation 6


def test_orientation_can_be_kept(tmp_path, dng):
    write_photo(tmp_path / 'kept.jpg', torch.rand(3, 64, 96), read_frame(dng), orientation='keep', quality=80)
    with Image.open(tmp_path / 'kept.jpg') as written:
        assert written.size == (96, 64)
        assert written.getexif()[0x0112] == 6


def test_pictures_that_cannot_be_written(tmp_path):
    image = torch.rand(3, 8, 8)
    with pytest.raises(ValueError, match=r'ends in .jpg'):
        write_photo(tmp_path / 'a.gif', image)
    with pytest.raises(ValueError, match='16 bits as PNG'):
        write_photo(tmp_path / 'a.jpg', image, bits=16)
    with pytest.raises(ValueError, match='quality of 1 to 100'):
        write_photo(tmp_path / 'a.jpg', image, quality=0)
    assert not list(tmp_path.iterdir())


def test_a_bad_file_is_reported_and_the_rest_done(checkpoint, dng, tmp_path, monkeypatch, capsys):
    (dng.parent / 'broken.dng').write_bytes(b'II*\0nothing')
    out = tmp_path / 'out'
    arguments = (dng.parent, '-o', out, '-c', checkpoint, '--adapt', '--compare', '--format', 'jpg')
    assert tool(monkeypatch, 'infer.py', *arguments) == 1
    said = capsys.readouterr()
    assert '1 developed, 1 failed' in said.out
    assert 'network' in said.out  # the shares of time
    assert said.err.count('broken.dng') == 1
    assert sorted(path.name for path in out.iterdir()) == ['photo é.jpg', 'photo é_compare.jpg']
    before = (out / 'photo é.jpg').stat().st_mtime_ns
    assert tool(monkeypatch, 'infer.py', *arguments) == 1
    assert '0 developed, 1 there already, 1 failed' in capsys.readouterr().out
    assert (out / 'photo é.jpg').stat().st_mtime_ns == before


def test_wrong_checkpoint_ends_in_one_line(dng, tmp_path, monkeypatch, capsys):
    assert tool(monkeypatch, 'infer.py', dng, '-o', tmp_path / 'a.png', '-c', tmp_path / 'none.pth') == 2
    assert capsys.readouterr().err.startswith('error: No checkpoint')


def test_interrupted_writing_leaves_nothing(tmp_path, dng, monkeypatch):
    from rawtoolbox.inference import develop_files as module

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, 'write_photo', stop)
    targets = output_paths([dng], tmp_path / 'out')
    with pytest.raises(KeyboardInterrupt):
        develop_files(Inferencer(trained(half_grey), tile=0), targets)
    assert not (tmp_path / 'out').exists()


def test_files_are_found_and_named_apart(tmp_path):
    for name in ('a.dng', 'a.NEF', 'b.dng', 'note.txt', 'mosaic.png', 'sub/b.dng'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [file.name for file in find_files([tmp_path])]
    assert names == ['a.NEF', 'a.dng', 'b.dng']
    assert 'mosaic.png' in [file.name for file in find_files([tmp_path], with_mosaics=True)]
    assert [file.name for file in find_files([str(tmp_path / 'a*')])] == ['a.NEF', 'a.dng']
    paths = output_paths([*find_files([tmp_path]), tmp_path / 'sub' / 'b.dng'], 'out')
    assert sorted(path.name for path in paths.values()) == [
        'a.NEF.png',
        'a.dng.png',
        'sub_b.dng.png',
        f'{tmp_path.name}_b.dng.png',
    ]
    assert output_paths([tmp_path / 'a.dng'], 'photo.jpg')[tmp_path / 'a.dng'].name == 'photo.jpg'
    with pytest.raises(ValueError, match='name a folder'):
        output_paths(find_files([tmp_path]), 'photo.jpg')
    with pytest.raises(FileNotFoundError, match='nothing matches'):
        find_files([str(tmp_path / '*.cr2')])
    with pytest.raises(FileNotFoundError, match='no raw file'):
        (tmp_path / 'empty').mkdir()
        find_files([tmp_path / 'empty'])


def test_comparison_shows_both_pictures_upright(dng):
    developed = Inferencer(trained(half_grey), tile=0)(dng)
    assert developed.upright().shape == (3, 96, 64)
    picture = side_by_side(developed, largest=48)
    assert picture.shape == (48 + 22, 2 * 32, 3)
    assert abs(int(picture[40, 16, 0]) - 128) <= 1  # the network's grey on the left
    assert picture[30:, 32:].std() > 5  # LibRaw's picture on the right


def test_a_picture_that_is_no_number_is_an_error_and_not_black():
    network = LiteISPNet(width=4, n_rcab=1)
    network.tail[2].bias.data[0] = float('inf')
    infer = Inferencer(trained(network), tile=0)
    with pytest.raises(ValueError, match='NaN or infinite .*float32'):
        infer(frame())


def test_weights_that_are_no_numbers_are_not_loaded(tmp_path):
    network = LiteISPNet(width=4, n_rcab=1)
    network.tail[2].bias.data[0] = float('nan')
    state = {f'backbone.{name}': tensor for name, tensor in network.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'model': {'backbone': TINY}}}, tmp_path / 'run.pth')
    with pytest.raises(
        ValueError, match=r'run\.pth: weights of tail\.2\.bias are NaN or infinite in float32'
    ):
        load_trained(tmp_path / 'run.pth')
