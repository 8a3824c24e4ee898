"""PSNR, SSIM and LPIPS: against the official code's numbers, other libraries, and what must hold of them."""

import json
import math
import os
import warnings
from pathlib import Path

import golden_tools
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from rawtoolbox.metrics import load_lpips, lpips, psnr, ssim
from rawtoolbox.metrics.levels import quantise
from rawtoolbox.metrics.ssim import valid_windows

GOLDEN = json.loads((golden_tools.FOLDER / 'metrics.json').read_text())
IMAGES = dict(np.load(golden_tools.FOLDER / 'metrics_images.npz', allow_pickle=False))
PAIRS = sorted({key.partition('.')[0] for key in IMAGES})
SHARED = Path(os.environ.get('RAWTOOLBOX_WEIGHTS', Path(__file__).parents[3] / 'shared' / 'weights'))


needs_weights = pytest.mark.skipif(
    not (SHARED / 'alexnet_features.safetensors').is_file(), reason='needs AlexNet from ../shared/weights'
)
METRICS = {'psnr': psnr, 'ssim': ssim}


@pytest.fixture(scope='module')
def network():
    """LPIPS with its published weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAWTOOLBOX_WEIGHTS', str(SHARED))
        patch.setenv('RAWTOOLBOX_OFFLINE', '1')
        return load_lpips()


def stored(name):
    return torch.from_numpy(IMAGES[name]).permute(2, 0, 1)


def pair(size=(3, 24, 30), seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(size, generator=generator)
    pred = (target + 0.1 * torch.randn(size, generator=generator)).clamp(0, 1)
    return pred, target


def half_mask(size=(24, 30)):
    mask = torch.zeros(1, *size)
    mask[:, :, : size[1] // 2] = 1
    return mask


@pytest.mark.parametrize('name', PAIRS)
def test_official_psnr_and_ssim(name):
    expected = next(entry for entry in GOLDEN['pairs'] if entry['name'] == name)
    output, target = stored(f'{name}.output'), stored(f'{name}.gt')
    warped, mask = stored(f'{name}.warp_gt'), torch.from_numpy(IMAGES[f'{name}.warp_gt_mask'])[None] // 255
    for key, metric in METRICS.items():
        assert metric(output, target) == pytest.approx(expected['output_vs_gt'][key], abs=1e-5)
        masked = metric(output, warped, mask)
        assert masked == pytest.approx(expected['masked_output_vs_warp_gt'][key], abs=1e-5)


@needs_weights
@pytest.mark.parametrize('name', PAIRS)
def test_official_lpips(name, network):
    expected = next(entry for entry in GOLDEN['pairs'] if entry['name'] == name)
    output, target = stored(f'{name}.output'), stored(f'{name}.gt')
    warped, mask = stored(f'{name}.warp_gt'), torch.from_numpy(IMAGES[f'{name}.warp_gt_mask'])[None] // 255
    plain = lpips(output, target, network=network)
    assert plain == pytest.approx(expected['output_vs_gt']['lpips'], abs=1e-6)
    masked = lpips(output, warped, mask, network=network)
    assert masked == pytest.approx(expected['masked_output_vs_warp_gt']['lpips'], abs=1e-6)


@needs_weights
def test_published_lpips(network):
    found = [lpips(stored(f'{name}.output'), stored(f'{name}.gt'), network=network) for name in PAIRS[:2]]
    assert PAIRS[:2] == ['lpips_ex_p0', 'lpips_ex_p1']
    assert found == pytest.approx([0.7219, 0.1376], abs=1e-4)


@needs_weights
def test_lpips_is_the_packages(network):
    pred, target = pair((3, 48, 70))
    levels = [quantise(image)[None] / 127.5 - 1 for image in (pred, target)]
    assert lpips(pred, target, network=network) == pytest.approx(network(*levels).item(), abs=1e-7)


@needs_weights
def test_lpips_properties(network):
    pred, target = pair((3, 64, 64))
    mask = half_mask((64, 64))
    assert lpips(pred, pred, network=network) == 0
    assert lpips(pred, target, network=network) == pytest.approx(lpips(target, pred, network=network))
    assert lpips(pred, target, torch.ones(1, 64, 64), 'excluded', network) == pytest.approx(
        lpips(pred, target, network=network), rel=1e-5
    )
    excluded, counted = (lpips(pred, target, mask, form, network) for form in ('excluded', 'counted'))
    assert excluded > counted
    assert math.isnan(lpips(pred, target, 0 * mask, 'excluded', network))
    elsewhere = torch.where(mask == 1, pred, 1 - pred)
    assert lpips(elsewhere, target, mask, 'excluded', network) == pytest.approx(excluded)


@needs_weights
def test_lpips_sees_blur_that_psnr_does_not(network):
    sharp = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, 1, 2, count_include_pad=False)
    brighter = sharp + (sharp - blurred).square().mean().sqrt()
    assert psnr(blurred, sharp) == pytest.approx(psnr(brighter, sharp), abs=0.2)
    assert lpips(blurred, sharp, network=network) > 5 * lpips(brighter, sharp, network=network)


def test_lpips_loads_without_warnings(monkeypatch):
    if not (SHARED / 'alexnet_features.safetensors').is_file():
        pytest.skip('needs AlexNet from ../shared/weights')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(SHARED))
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        network = load_lpips()
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_lpips_without_weights(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.delenv('RAWTOOLBOX_WEIGHTS', raising=False)
    with pytest.raises(FileNotFoundError, match=r'alexnet-owt-7be5be79\.pth.*RAWTOOLBOX_WEIGHTS'):
        lpips(*pair((3, 64, 64)))


def test_other_libraries():
    pred, target = pair()
    first, second = (quantise(image).double().numpy() for image in (pred, target))
    assert psnr(pred, target) == pytest.approx(peak_signal_noise_ratio(second, first, data_range=255))
    expected = structural_similarity(
        first, second, win_size=11, gaussian_weights=True, data_range=255, channel_axis=0
    )
    assert ssim(pred, target) == pytest.approx(expected)


def test_identity_and_symmetry():
    pred, target = pair()
    assert psnr(pred, pred) == math.inf
    assert ssim(pred, pred) == 1
    for metric in METRICS.values():
        assert metric(pred, target) == pytest.approx(metric(target, pred))


def test_known_error():
    target = torch.full((3, 16, 16), 100 / 255)
    assert psnr(target + 1 / 255, target) == pytest.approx(20 * math.log10(255))
    assert psnr(torch.zeros(3, 16, 16), torch.ones(3, 16, 16)) == 0


def test_images_are_rounded_to_levels():
    half_to_even = torch.tensor([0.5, 1.5, 2.5, 3.4999, 255]) / 255
    assert quantise(half_to_even).tolist() == [0, 2, 2, 3, 255]
    pred, target = pair()
    as_bytes = [quantise(image).byte() for image in (pred, target)]
    for metric in METRICS.values():
        assert metric(pred, target) == metric(*as_bytes)


def test_counted_pixels_outside_the_mask_have_no_error():
    pred, target = pair()
    mask = half_mask()
    error = ((quantise(pred) - quantise(target)).double() / 255) ** 2
    assert psnr(pred, target, mask) == pytest.approx(-10 * math.log10((error * mask).mean()))
    inside = error[:, :, :15].mean()
    assert psnr(pred, target, mask, 'excluded') == pytest.approx(-10 * math.log10(inside))
    gain = psnr(pred, target, mask) - psnr(pred, target, mask, 'excluded')
    assert gain == pytest.approx(-10 * math.log10(0.5))  # half the pixels are free of error


def test_excluded_ssim_is_that_of_the_valid_part():
    pred, target = pair()
    cropped = ssim(pred[:, :, :15], target[:, :, :15])
    assert ssim(pred, target, half_mask(), 'excluded') == pytest.approx(cropped)


@pytest.mark.parametrize('metric', METRICS.values(), ids=METRICS)
def test_masks(metric):
    pred, target = pair()
    mask, full = half_mask(), torch.ones(1, 24, 30)
    for form in ('counted', 'excluded'):
        assert metric(pred, target, full, form) == pytest.approx(metric(pred, target))
        assert metric(pred, target, mask.bool(), form) == metric(pred, target, mask, form)
        elsewhere = torch.where(mask == 1, pred, 1 - pred)
        assert metric(elsewhere, target, mask, form) == pytest.approx(metric(pred, target, mask, form))
    assert math.isnan(metric(pred, target, 0 * mask, 'excluded'))


def test_valid_windows_by_hand():
    mask = torch.ones(1, 13, 14)
    assert valid_windows(mask).tolist() == 3 * [4 * [True]]
    mask[0, 0, 0] = 0
    assert valid_windows(mask).sum() == 3 * 4 - 1


@pytest.mark.parametrize('metric', [psnr, ssim, lpips])
def test_wrong_arguments(metric):
    pred, target = pair((3, 40, 40))
    with pytest.raises(ValueError, match=r'target: expected the shape \(3 40 40\), found \(3 40 39\)'):
        metric(pred, target[..., :-1])
    with pytest.raises(ValueError, match=r'pred: expected the shape \(C H W\)'):
        metric(pred[None], target[None])
    with pytest.raises(ValueError, match=r'pred: expected values in \[0, 1\], found \[0, 255\]'):
        metric(quantise(pred).clamp(0, 255), target)
    with pytest.raises(ValueError, match='target: 1 of 4800 values are NaN'):
        metric(pred, target.index_put((torch.tensor(0),) * 3, torch.tensor(math.nan)))
    with pytest.raises(TypeError, match='expected floating point in'):
        metric(pred.long(), target)
    with pytest.raises(ValueError, match=r'mask: expected the shape \(1 40 40\)'):
        metric(pred, target, torch.ones(3, 40, 40))
    with pytest.raises(ValueError, match='mask: expected zeros and ones only'):
        metric(pred, target, torch.full((1, 40, 40), 0.5))
    with pytest.raises(ValueError, match="expected 'counted' or 'excluded', found 'official'"):
        metric(pred, target, mask_form='official')


def test_too_small():
    small = torch.zeros(3, 8, 40)
    with pytest.raises(ValueError, match='SSIM needs 11 pixels each way or more, found 8x40'):
        ssim(small, small)
    with pytest.raises(ValueError, match=r'LPIPS needs 3 channels and 32 pixels .* found \(3, 8, 40\)'):
        lpips(small, small)
