import copy
import logging
import os
from pathlib import Path

import golden_tools
import pytest
import torch
import torch.nn.functional as F

from rawtoolbox.losses import L1Loss, SSIMLoss, VGGLoss, vgg
from rawtoolbox.losses.perceptual import halve
from rawtoolbox.losses.vgg import VGGFeatures, layer_names, load_vgg, nearest_layer
from rawtoolbox.registry import LOSSES

GOLDEN = golden_tools.load('losses')
CASES = {case['id']: case for case in GOLDEN.meta['cases']}
SHARED = Path(os.environ.get('RAWTOOLBOX_WEIGHTS', Path(__file__).parents[3] / 'shared' / 'weights'))


@pytest.fixture(scope='module')
def network():
    """VGG-19 filled by the rule of the golden files."""
    weights = golden_tools.weights(GOLDEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, 'load_weights', lambda arch: weights)
        return load_vgg('vgg19').double()


@pytest.fixture
def loss(network):
    def make(**arguments):
        made = VGGLoss(**arguments)
        made.features.network = network
        return made

    return make


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.delenv('RAWTOOLBOX_WEIGHTS', raising=False)


def images(size=32, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    pred, target = (torch.rand(1, 3, size, size, generator=generator, dtype=dtype) for _ in range(2))
    mask = torch.ones(1, 1, size, size, dtype=dtype)
    mask[..., : size // 2] = 0
    return pred, target, mask


@pytest.mark.parametrize('case', CASES)
def test_official_values(case, loss):
    pred, target, mask = golden_tools.inputs(GOLDEN, case).values()
    plain, masked = CASES[case]['values_f64']['plain'], CASES[case]['values_f64']['masked']
    assert loss()(pred, target).item() == pytest.approx(plain['vgg'], rel=1e-6)
    terms = [loss()(pred, target, mask), L1Loss()(pred, target, mask), SSIMLoss(0.15)(pred, target, mask)]
    assert terms[0].item() == pytest.approx(masked['vgg'], rel=1e-6)
    assert sum(terms).item() == pytest.approx(masked['zrr_isp_total'], rel=1e-6)


def test_official_gradient(loss):
    pred, target, _ = golden_tools.inputs(GOLDEN, 'c0').values()
    loss()(pred.requires_grad_(), target).backward()
    golden_tools.assert_close(pred.grad, torch.from_numpy(GOLDEN.arrays['c0.grad.vgg']))


def test_official_features(loss):
    pred, *_ = golden_tools.inputs(GOLDEN, 'c0').values()
    (found,) = loss().features(F.interpolate(pred, scale_factor=0.5, mode='bilinear'))
    golden_tools.assert_close(found, torch.from_numpy(GOLDEN.arrays['c0.mid.vgg_relu_16_of_img1']), rtol=1e-5)


@pytest.mark.parametrize('size', [(8, 10), (9, 11)])
def test_halving_is_bilinear(size):
    image = torch.rand(1, 3, *size, dtype=torch.float64)
    expected = F.interpolate(image, scale_factor=0.5, mode='bilinear', align_corners=False)
    torch.testing.assert_close(halve(image), expected)


def test_paper_form_masks_the_features(loss):
    pred, target, mask = images()
    paper = loss(form='paper')
    difference = (paper.features(pred)[0] - paper.features(target)[0]).abs()
    expected = difference[..., 1:].sum() / difference.numel()  # features of the left half are hidden
    assert paper(pred, target, mask).item() == pytest.approx(expected.item())
    assert paper(pred, target).item() == pytest.approx(difference.mean().item())


@pytest.mark.parametrize('form', ['official', 'paper'])
def test_properties(form, loss):
    pred, target, mask = images()
    made = loss(form=form, weight=2.0)
    assert made(pred, pred) == 0
    torch.testing.assert_close(made(pred, target), made(target, pred))
    torch.testing.assert_close(made(pred, target, mask), 2 * loss(form=form)(pred, target, mask))
    assert made(pred, target, 0 * mask) == 0


def test_only_the_prediction_has_a_gradient(loss, network):
    pred, target, _ = images()
    loss()(pred.requires_grad_(), target.requires_grad_()).backward()
    assert pred.grad.abs().sum() > 0
    assert target.grad is None
    assert all(parameter.grad is None for parameter in network.parameters())


def test_kept_out_of_checkpoints(loss):
    made = loss()
    assert made.state_dict() == {}
    assert list(made.parameters()) == []
    assert made.train().features.network.training is False
    assert copy.deepcopy(made).features.network is not made.features.network


def test_half_precision(loss):
    pred, target, mask = images(dtype=torch.float32)
    made = loss()
    made.features.network = copy.deepcopy(made.features.network)  # float32 from here on
    expected = made(pred, target, mask).item()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        cast = made(pred, target, mask)
    assert cast.dtype == torch.float32
    assert cast.item() == pytest.approx(expected, rel=0.05)
    assert made(pred.bfloat16(), target, mask).item() == pytest.approx(expected, rel=0.05)


def test_layer_names_are_the_fields():
    import torchvision

    with torch.device('meta'):
        names19 = layer_names(torchvision.models.vgg19().features)
        names16 = layer_names(torchvision.models.vgg16().features)
    assert names19.index('relu5_4') == 35
    assert names19.index('conv5_4') == 34
    assert names19.index('relu3_2') == 13
    assert names16.index('relu5_3') == 29
    assert nearest_layer('relu5_4', names16) == 'relu5_3'
    assert nearest_layer('relu5_4', names19) == 'relu5_4'
    assert nearest_layer('conv2_1', names16) == 'conv2_1'


def test_several_layers_in_the_order_asked_for(network):
    features = VGGFeatures(layers=['relu3_2', 'conv1_1', 'relu1_1'])
    features.network = network
    deep, before, after = features(images()[0])
    assert deep.shape == (1, 256, 8, 8)
    torch.testing.assert_close(after, before.relu())
    assert (before < 0).any()


@pytest.mark.skipif(
    not (SHARED / 'vgg16_features_fp16.safetensors').is_file(), reason='needs ../shared/weights'
)
def test_trained_weights_by_second_choice(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(SHARED))
    pred, target, _ = images(64, torch.float32)
    made = VGGLoss(arch=('vgg19', 'vgg16'))
    assert made(pred, target) > 0
    assert made(pred, pred) == 0
    assert len(made.features.network) == 31
    with pytest.raises(FileNotFoundError, match='vgg19-dcbb9e9d'):
        VGGLoss(arch='vgg19')(pred, target)


def test_without_weights(nowhere):
    pred, target, _ = images()
    made = VGGLoss(arch=('vgg19', 'vgg16'))
    assert made.features.network is None  # nothing is looked up before it is needed
    with pytest.raises(
        FileNotFoundError, match=r'vgg19-dcbb9e9d\.pth.*RAWTOOLBOX_WEIGHTS.*vgg16-397923af\.pth'
    ):
        made(pred, target)


def test_skipped_without_weights(nowhere, caplog):
    pred, target, mask = images()
    made = LOSSES.build({'type': 'VGGLoss', 'missing': 'skip'})
    with caplog.at_level(logging.WARNING):
        assert made(pred, target, mask) == 0
        assert made(pred.requires_grad_(), target) == 0
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) <= 1  # mmengine's logger may not propagate
    total = L1Loss()(pred, target) + made(pred, target)
    total.backward()
    assert pred.grad is not None


def test_warning_names_the_remedy(nowhere, monkeypatch):
    said = []
    monkeypatch.setattr(vgg, 'print_log', lambda message, **_: said.append(message))
    made = VGGLoss(missing='skip')
    pred, target, _ = images()
    made(pred, target), made(pred, target)
    assert len(said) == 1
    assert 'RAWTOOLBOX_WEIGHTS' in said[0]


def test_wrong_arguments(loss):
    pred, target, _ = images()
    with pytest.raises(ValueError, match='target: expected the shape'):
        loss()(pred, target[..., :-1])
    with pytest.raises(ValueError, match=r'need 16 pixels each way, found 15x15'):
        loss()(pred[..., :30, :30], target[..., :30, :30])
    with pytest.raises(ValueError, match='images: expected the shape'):
        loss()(pred[:, :1], target[:, :1])
    with pytest.raises(ValueError, match="expected 'official' or 'paper'"):
        VGGLoss(form='masked')
    with pytest.raises(ValueError, match='expected one or more of vgg16, vgg19'):
        VGGLoss(arch='vgg13')
    with pytest.raises(ValueError, match=r"expected names such as 'relu5_4'.*found 'relu_16'"):
        VGGLoss(layer='relu_16')
    with pytest.raises(ValueError, match="expected 'error' or 'skip'"):
        VGGLoss(missing='ignore')
