"""OpenVINO against torch, from a module, an ONNX file and an int8 file made by the tool; one network for all."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.deployment.backends import open_backend
from rawtoolbox.deployment.int8 import agreement, export_int8
from rawtoolbox.deployment.openvino_network import SHAPES, OpenVinoNetwork, read_exported, write_model
from rawtoolbox.inference.calibration import calibration_patches
from rawtoolbox.inference.inferencer import Inferencer
from rawtoolbox.inference.tiles.statistics import local_version
from rawtoolbox.inference.trained import load_trained
from rawtoolbox.registry import BACKBONES

ROOT = Path(__file__).parents[2]
CONFIG = {'type': 'LiteISPNet', 'width': 4, 'n_rcab': 0}
PATCH = 32  # of the packed raw


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A published checkpoint of an untrained network."""
    path = tmp_path_factory.mktemp('openvino') / 'lite.safetensors'
    torch.manual_seed(0)
    metadata = {'config': json.dumps(CONFIG), 'preprocessor': json.dumps({'crop_size': 2 * PATCH})}
    save_file(BACKBONES.build(CONFIG).state_dict(), path, metadata)
    return path


@pytest.fixture(scope='module')
def mosaic(tmp_path_factory):
    """A frame as a 16-bit PNG."""
    path = tmp_path_factory.mktemp('frame') / 'frame.png'
    smooth = cv2.resize(np.random.default_rng(0).uniform(63, 1020, (9, 10)), (160, 144))
    cv2.imwrite(str(path), smooth.astype('uint16'))
    return path


@pytest.fixture(scope='module')
def quantised(checkpoint, mosaic):
    """What the tool writes for it."""
    path = checkpoint.with_suffix('.int8.xml')
    tool = runpy.run_path(str(ROOT / 'tools' / 'export.py'))
    options = (
        '--int8 --patches 4 --cfa RGGB --black-level 63 --white-level 1020 --statistics whole --calibrate'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'sys.argv', ['export.py', str(checkpoint), '-o', str(path), *options.split(), str(mosaic)]
        )
        tool['main']()
    return path


def run(network, *inputs):
    with torch.no_grad():
        return network(*inputs)


def inputs(height, width, count=1):
    return torch.rand(count, 4, height, width), torch.rand(count, 2, height, width)


def test_module_equals_torch_at_any_size(checkpoint):
    network = load_trained(checkpoint).network
    found = OpenVinoNetwork(network)
    for size in ((32, 40), (8, 16, 2)):
        given = inputs(*size)
        torch.testing.assert_close(run(found, *given), run(network, *given), rtol=0, atol=1e-5)
    assert len(found.requests) == 2 <= SHAPES
    assert not next(found.network.parameters()).requires_grad
    with pytest.raises(ValueError, match='multiples of 8'):
        found(*inputs(12, 16))


def test_statistics_over_windows_equal_torch():
    torch.manual_seed(0)
    local = local_version(LiteISPNet(4, 1).eval(), 16)
    given = inputs(24, 40)
    torch.testing.assert_close(run(OpenVinoNetwork(local), *given), run(local, *given), rtol=0, atol=1e-5)


def test_bfloat16_is_near(checkpoint):
    network, given = load_trained(checkpoint).network, inputs(32, 32)
    found = run(OpenVinoNetwork(network, torch.bfloat16), *given)
    assert 0 < (found - run(network, *given)).abs().max() < 0.02
    with pytest.raises(ValueError, match='dtype: expected float32, bfloat16 or float16, found torch.int8'):
        OpenVinoNetwork(network, torch.int8)


def test_int8_is_near_and_carries_its_origin(checkpoint, quantised, mosaic):
    trained = load_trained(checkpoint)
    found = open_backend('openvino', checkpoint, 'int8')
    assert found.metadata['dtype'] == 'int8' and found.metadata['config'] == CONFIG
    assert found.raw_input == trained.raw_input
    assert {op.get_type_name() for op in found.model.get_ops()} & {'FakeQuantize'}
    patches = calibration_patches([mosaic], trained, 3, cfa='RGGB', black_level=63, white_level=1020)
    assert [tuple(raw.shape) for raw, _ in patches] == [(1, 4, PATCH, PATCH)] * 3
    assert 25 < agreement(found, trained.network, patches) < 80
    geometry = dict(cfa='RGGB', black_level=63, white_level=1020)
    developed = Inferencer(checkpoint, backend=found)(mosaic, **geometry).image
    expected = Inferencer(checkpoint, statistics='tile', backend='plain')(mosaic, **geometry).image
    assert -10 * (developed - expected).square().mean().log10() > 25
    with pytest.raises(ValueError, match='coord: this file takes coordinates'):
        found(torch.rand(1, 4, 32, 32))


def test_files_are_read_as_they_were_written(quantised, tmp_path):
    model, metadata = read_exported(quantised)
    write_model(model, tmp_path / 'again.xml', metadata)
    assert read_exported(tmp_path / 'again.xml')[1] == metadata


def test_wrong_files_and_patches_are_named(quantised, tmp_path, checkpoint, mosaic):
    with pytest.raises(FileNotFoundError, match='export a checkpoint by tools/export.py'):
        OpenVinoNetwork(tmp_path / 'none.xml')
    text = quantised.read_text()
    (tmp_path / 'other.xml').write_text(text.replace('<rawtoolbox ', '<other ').replace('raw_input', 'input'))
    (tmp_path / 'other.bin').write_bytes(quantised.with_suffix('.bin').read_bytes())
    with pytest.raises(ValueError, match='was changed'):
        OpenVinoNetwork(tmp_path / 'other.xml')
    (tmp_path / 'right.xml').write_text(text)
    weights = bytearray(quantised.with_suffix('.bin').read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / 'right.bin').write_bytes(weights)
    with pytest.raises(ValueError, match=r'right\.bin is damaged or belongs to another file'):
        OpenVinoNetwork(tmp_path / 'right.xml')
    with pytest.raises(ValueError, match='int8 is calibrated on some, found none'):
        export_int8(LiteISPNet(4, 0), tmp_path / 'a.xml', [])
    cv2.imwrite(str(tmp_path / 'small.png'), np.full((40, 40), 500, 'uint16'))
    with pytest.raises(ValueError, match='smaller than a training patch of 64 pixels'):
        calibration_patches(
            [tmp_path / 'small.png'], load_trained(checkpoint), cfa='RGGB', black_level=63, white_level=1020
        )
