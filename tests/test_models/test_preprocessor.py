import pytest
import torch

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.models import RawPreprocessor
from rawtoolbox.ops.bayer import bayer_mosaic, unpack_mosaic


def batch(count=3, height=32, width=32, scale=1, seed=0):
    """A scene of low frequencies, mosaicked to sensor values, and itself as the target."""
    generator = torch.Generator().manual_seed(seed)
    scene = torch.nn.functional.interpolate(
        torch.rand(count, 3, 5, 5, generator=generator), (height, width), mode='bicubic'
    ).clamp(0, 1)
    target = torch.nn.functional.interpolate(scene, scale_factor=scale, mode='nearest')
    return {
        'inputs': {'mosaic': (bayer_mosaic(scene) * 957 + 63).round().to(torch.uint16)},
        'data_samples': {
            'target': (target * 255).round().to(torch.uint8),
            'meta': {
                'name': [str(i) for i in range(count)],
                'origin': [torch.tensor([0, 64, 128])[:count], torch.tensor([32, 0, 96])[:count]],
                'frame_size': [torch.full((count,), 256), torch.full((count,), 512)],
            },
        },
    }


def test_shapes_and_ranges():
    out = RawPreprocessor()(batch())
    inputs, samples = out['inputs'], out['data_samples']
    assert inputs['raw'].shape == (3, 4, 16, 16)
    assert inputs['coord'].shape == (3, 2, 16, 16)
    assert inputs['source'].shape == (3, 3, 32, 32)
    assert inputs['source_coord'].shape == (3, 2, 32, 32)
    assert samples['target'].shape == (3, 3, 32, 32)
    assert samples['target'].dtype == torch.float32
    assert samples['target'].min() >= 0 and samples['target'].max() <= 1
    assert samples['meta']['name'] == ['0', '1', '2']


def test_levels_map_black_to_zero_and_white_to_one():
    data = batch(1)
    data['inputs']['mosaic'] = torch.full((1, 1, 16, 16), 1020).to(torch.uint16)
    assert torch.allclose(RawPreprocessor()(data)['inputs']['raw'], torch.ones(1))
    data['inputs']['mosaic'] = torch.full((1, 1, 16, 16), 40).to(torch.uint16)
    assert (RawPreprocessor()(data)['inputs']['raw'] == 0).all()


def test_nothing_random_outside_training():
    preprocessor = RawPreprocessor(crop_size=16, augment='bayer')
    first, second = preprocessor(batch()), preprocessor(batch())
    assert torch.equal(first['inputs']['raw'], second['inputs']['raw'])
    assert first['inputs']['source'].shape[-1] == 32


@pytest.mark.parametrize('crop_size', [None, 16])
def test_bayer_augmentation_keeps_raw_and_target_registered(crop_size):
    """The mosaic of the augmented target is the augmented mosaic, up to the target's 8 bits."""
    torch.manual_seed(3)
    preprocessor = RawPreprocessor(crop_size=crop_size, augment='bayer')
    for _ in range(4):
        out = preprocessor(batch(), training=True)
        mosaic = unpack_mosaic(out['inputs']['raw'])
        expected = bayer_mosaic(out['data_samples']['target'])
        assert (mosaic - expected).abs().max() < 0.5 / 255 + 1 / 957


def test_official_augmentation_moves_the_mosaic_against_the_target():
    """The released code flips packed planes, which shifts the samples by a pixel: reachable, and worse."""
    torch.manual_seed(3)
    preprocessor = RawPreprocessor(augment='official')
    worst = 0.0
    for _ in range(4):
        out = preprocessor(batch(), training=True)
        error = unpack_mosaic(out['inputs']['raw']) - bayer_mosaic(out['data_samples']['target'])
        worst = max(worst, error.abs().max().item())
    assert worst > 5 / 255


def test_crop_takes_the_coordinates_along():
    torch.manual_seed(0)
    whole = RawPreprocessor(coord='frame')(batch())['inputs']['source_coord']
    cropped = RawPreprocessor(coord='frame', crop_size=16)(batch(), training=True)['inputs']['source_coord']
    for full, part in zip(whole, cropped, strict=True):
        found = (full.unfold(1, 16, 2).unfold(2, 16, 2) - part[:, None, None]).abs().amax(dim=(0, 3, 4))
        assert found.min() < 1e-6


def test_frame_coordinates_tell_patches_apart_and_patch_coordinates_do_not():
    frame = RawPreprocessor(coord='frame')(batch())['inputs']['coord']
    patch = RawPreprocessor(coord='patch')(batch())['inputs']['coord']
    assert not torch.allclose(frame[0], frame[1])
    assert torch.allclose(patch[0], patch[1])
    assert torch.allclose(patch[0].mean(dim=(1, 2)), torch.zeros(2), atol=1e-6)


def test_crop_of_a_larger_target_is_the_same_window():
    torch.manual_seed(1)
    out = RawPreprocessor(crop_size=16, augment='bayer')(batch(scale=4), training=True)
    assert out['data_samples']['target'].shape == (3, 3, 64, 64)
    small = torch.nn.functional.avg_pool2d(out['data_samples']['target'], 4)
    assert (bayer_mosaic(small) - unpack_mosaic(out['inputs']['raw'])).abs().max() < 2 / 255


def test_backbone_declares_what_it_takes():
    data = batch(1)
    kept = RawPreprocessor(raw_input=RawInput(subtract_black=False))(data)['inputs']['raw']
    expected = data['inputs']['mosaic'].float() / 1020
    assert torch.allclose(unpack_mosaic(kept), expected)
    planes = RawPreprocessor(raw_input=RawInput(layout='plane_resized', scale=1))(data)['inputs']
    assert planes['raw'].shape == (1, 3, 32, 32)
    assert planes['coord'].shape == (1, 2, 32, 32)


def test_oblong_patches_are_never_transposed():
    torch.manual_seed(0)
    preprocessor = RawPreprocessor(augment='bayer')
    for _ in range(5):
        assert preprocessor(batch(height=16, width=32), training=True)['inputs']['source'].shape == (
            3,
            3,
            16,
            32,
        )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'augment': 'flip'}, "augment is 'bayer', 'official' or None"),
        ({'coord': 'lens'}, "coord is 'patch' or 'frame'"),
        ({'crop_size': 33}, 'crop_size must be even'),
        ({'cfa': 'RGBW'}, 'RGGB'),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RawPreprocessor(**arguments)


def test_crop_larger_than_the_patch_is_refused():
    with pytest.raises(ValueError, match='64'):
        RawPreprocessor(crop_size=64)(batch(), training=True)


def test_srgb_network_cannot_be_fed_from_a_mosaic():
    with pytest.raises(ValueError, match='cannot be fed from a mosaic'):
        RawPreprocessor(raw_input=RawInput(layout='rgb'))(batch())


def test_network_that_is_told_of_noise_cannot_be_fed_from_pairs():
    with pytest.raises(ValueError, match='train it by RawDeveloper'):
        RawPreprocessor(raw_input=RawInput(layout='packed_told'))(batch())


@pytest.mark.parametrize('cfa', ['GRBG', 'GBRG', 'BGGR'])
def test_other_phases_become_rggb_with_target_truth_and_coordinates(cfa):
    """A mosaic of another phase gives what the same scene, cropped, gives in RGGB."""
    data, whole = batch(scale=2), RawPreprocessor()(batch(scale=2))
    scene = torch.nn.functional.avg_pool2d(data['data_samples']['target'].float() / 255, 2)
    data['inputs']['mosaic'] = (bayer_mosaic(scene, cfa) * 957 + 63).round().to(torch.uint16)
    data['data_samples']['flow'] = torch.rand(3, 2, 32, 32)
    out = RawPreprocessor(cfa=cfa)(data)
    height, width = out['inputs']['source'].shape[-2:]
    assert (height, width) == {'GRBG': (32, 30), 'GBRG': (30, 32), 'BGGR': (30, 30)}[cfa]
    dy, dx = divmod(cfa.index('R'), 2)
    window = (slice(dy, dy + height), slice(dx, dx + width))
    inner = (slice(2, -2), slice(2, -2))  # demosaicking looks one pixel over the border
    expected = whole['inputs']['source'][..., window[0], window[1]]
    green = (out['inputs']['source'] - expected).abs()[..., inner[0], inner[1]]
    assert green.mean() < 0.02
    assert torch.equal(
        out['inputs']['source_coord'], whole['inputs']['source_coord'][..., window[0], window[1]]
    )
    assert torch.equal(out['data_samples']['flow'], data['data_samples']['flow'][..., window[0], window[1]])
    assert out['data_samples']['target'].shape[-2:] == (2 * height, 2 * width)
