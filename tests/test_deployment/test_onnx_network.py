"""Exported networks against torch; one small export serves most tests, since each takes seconds."""

import json
import runpy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.deployment.onnx_network import TOLERANCE, OnnxNetwork, PatchCoord, check_origin, export_onnx
from rawtoolbox.inference.inferencer import Inferencer
from rawtoolbox.inference.tiles.statistics import local_version
from rawtoolbox.inference.trained import load_trained
from rawtoolbox.layers.rcab import ChannelAttention
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.registry import BACKBONES

ROOT = Path(__file__).parents[2]

CONFIG = {'type': 'LiteISPNet', 'width': 4, 'n_rcab': 0}
PATCH = 32  # of the packed raw


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A published checkpoint of an untrained network."""
    path = tmp_path_factory.mktemp('export') / 'lite.safetensors'
    torch.manual_seed(0)
    metadata = {'config': json.dumps(CONFIG), 'preprocessor': json.dumps({'crop_size': 2 * PATCH})}
    save_file(BACKBONES.build(CONFIG).state_dict(), path, metadata)
    return path


@pytest.fixture(scope='module')
def exported(checkpoint):
    """What the tool writes for it."""
    path = checkpoint.with_suffix('.onnx')
    tool = runpy.run_path(str(ROOT / 'tools' / 'export.py'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', ['export.py', str(checkpoint), '-o', str(path), '--statistics', 'whole'])
        tool['main']()
    return path


def run(network, *inputs):
    with torch.no_grad():
        return network(*inputs)


@pytest.mark.parametrize('size', [(1, 224, 224), (1, 8, 8), (3, 40, 120), (1, 88, 136)])
def test_equals_torch_at_any_size(checkpoint, exported, size):
    count, height, width = size
    raw, coord = torch.rand(count, 4, height, width), torch.rand(count, 2, height, width)
    found = OnnxNetwork(exported)(raw, coord)
    assert found.shape == (count, 3, 2 * height, 2 * width)
    expected = run(load_trained(checkpoint).network, raw, coord)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_file_is_valid_and_without_wavelets(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    assert (
        sum(node.op_type == 'DepthToSpace' for node in model.graph.node) <= 8
    )  # four, and the tail's strips
    assert not {node.op_type for node in model.graph.node} & {'Einsum', 'Transpose', 'Sub'}


def test_file_carries_its_config(exported):
    found = OnnxNetwork(exported)
    assert found.metadata['config'] == CONFIG and found.metadata['coord'] == 'input'
    assert found.metadata['patch_size'] == 2 * PATCH and found.metadata['black_level'] == 63
    assert found.raw_input == LiteISPNet.raw_input


def test_file_belongs_to_its_checkpoint(checkpoint, exported, tmp_path):
    assert check_origin(OnnxNetwork(exported), checkpoint).metadata['config'] == CONFIG
    other = tmp_path / 'other.safetensors'
    other.write_bytes(b'other')
    with pytest.raises(ValueError, match=r'is of lite.safetensors sha256:\w+, not of other'):
        check_origin(OnnxNetwork(exported), other)


def test_develops_a_frame_as_torch_does(checkpoint, exported):
    mosaic = np.random.default_rng(0).integers(63, 1020, (144, 160), dtype=np.uint16)
    geometry = dict(cfa='RGGB', black_level=63, white_level=1020)
    expected = Inferencer(checkpoint, statistics='tile')(mosaic, **geometry).image
    found = Inferencer(checkpoint, backend=OnnxNetwork(exported))(mosaic, **geometry).image
    assert found.shape == (3, 144, 160)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_wrong_inputs_are_named(exported):
    found = OnnxNetwork(exported)
    with pytest.raises(ValueError, match='at least 8, found 0x8'):
        found(torch.rand(1, 4, 0, 8), torch.rand(1, 2, 0, 8))
    with pytest.raises(ValueError, match='multiples of 8, found 36x32'):
        found(torch.rand(1, 4, 36, 32), torch.rand(1, 2, 36, 32))
    with pytest.raises(ValueError, match='coord: this file takes coordinates'):
        found(torch.rand(1, 4, 32, 32))


def test_wrong_files_are_named(tmp_path, exported):
    with pytest.raises(FileNotFoundError, match='export a checkpoint by tools/export.py'):
        OnnxNetwork(tmp_path / 'none.onnx')
    (tmp_path / 'cut.onnx').write_bytes(exported.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r'cut.onnx is damaged or no file of tools/export'):
        OnnxNetwork(tmp_path / 'cut.onnx')
    model = onnx.load(exported)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match='carries no hash'):
        OnnxNetwork(tmp_path / 'other.onnx')


class Tiny(nn.Module):
    """Coordinates behind the raw, attention, and nothing more: exported in no time."""

    raw_input = LiteISPNet.raw_input

    def __init__(self):
        super().__init__()
        self.conv, self.attention = nn.Conv2d(6, 12, 1), ChannelAttention(12)

    def forward(self, raw, coord):
        return nn.functional.pixel_shuffle(self.attention(self.conv(torch.cat([raw, coord], 1))), 2)


def test_baked_coordinates_and_windows(tmp_path):
    network, path = local_version(Tiny(), 24), tmp_path / 'baked.onnx'
    export_onnx(network, path, coord='patch', smallest=20, sizes=[(32, 40)])
    raw, found = torch.rand(2, 4, 24, 56), OnnxNetwork(path)
    expected = run(network, raw, coord_map(24, 56).expand(2, 2, 24, 56))
    torch.testing.assert_close(found(raw), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(run(PatchCoord(network), raw), expected, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match='at least 24, found 16x24'):
        found(raw[:, :, :16, :24])


def test_nothing_is_written_when_it_differs(tmp_path, monkeypatch):
    monkeypatch.setattr('rawtoolbox.deployment.onnx_network.TOLERANCE', -1.0)
    with pytest.raises(ValueError, match=r'differs from torch by .*: not written'):
        export_onnx(Tiny(), tmp_path / 'bad.onnx', sizes=[(32, 40)])
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_named(tmp_path):
    class Unsteady(Tiny):
        def forward(self, raw, coord):
            return super().forward(raw, coord) * (2 if raw.mean() > 0.5 else 1)

    with pytest.raises(ValueError, match='Unsteady cannot be exported: '):
        export_onnx(Unsteady(), tmp_path / 'none.onnx', sizes=[(32, 40)])
    with pytest.raises(ValueError, match="coord is 'input' or 'patch', found 'none'"):
        export_onnx(Tiny(), tmp_path / 'none.onnx', coord='none')
    assert not list(tmp_path.iterdir())
