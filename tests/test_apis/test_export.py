"""Exported networks against torch; one small export serves most tests, since each takes seconds."""

import onnx
import pytest
import torch
from torch import nn

from rawtoolbox.apis.export import TOLERANCE, OnnxNetwork, PatchCoord, export_onnx
from rawtoolbox.backbones import LiteISPNet
from rawtoolbox.ops.coord import coord_map

CONFIG = {'type': 'LiteISPNet', 'width': 4, 'n_rcab': 1}


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return LiteISPNet(4, 1).eval()


@pytest.fixture(scope='module')
def exported(network, tmp_path_factory):
    """A file with coordinates as its input, and the difference that was reported."""
    path = tmp_path_factory.mktemp('export') / 'lite.onnx'
    return path, export_onnx(network, path, {'config': CONFIG}, sizes=[(32, 40)])


def run(network, *inputs):
    with torch.no_grad():
        return network(*inputs)


@pytest.mark.parametrize('size', [(1, 224, 224), (1, 8, 8), (3, 40, 120), (1, 88, 136)])
def test_equals_torch_at_any_size(network, exported, size):
    count, height, width = size
    raw, coord = torch.rand(count, 4, height, width), torch.rand(count, 2, height, width)
    found = OnnxNetwork(exported[0])(raw, coord)
    assert found.shape == (count, 3, 2 * height, 2 * width)
    torch.testing.assert_close(found, run(network, raw, coord), rtol=0, atol=TOLERANCE)


def test_file_is_valid_and_without_wavelets(exported):
    path, difference = exported
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert difference < TOLERANCE
    assert (
        sum(node.op_type == 'DepthToSpace' for node in model.graph.node) <= 8
    )  # four, and the tail's strips
    assert not {node.op_type for node in model.graph.node} & {'Einsum', 'Transpose', 'Sub'}


def test_file_carries_its_config(exported, network):
    found = OnnxNetwork(exported[0])
    assert found.metadata['config'] == CONFIG and found.metadata['coord'] == 'input'
    assert found.raw_input == network.raw_input


def test_wrong_inputs_are_named(exported):
    found = OnnxNetwork(exported[0])
    with pytest.raises(ValueError, match='at least 8, found 0x16'):
        found(torch.rand(1, 4, 0, 16), torch.rand(1, 2, 0, 16))
    with pytest.raises(ValueError, match='multiples of 8, found 12x16'):
        found(torch.rand(1, 4, 12, 16), torch.rand(1, 2, 12, 16))
    with pytest.raises(ValueError, match='coord: this file takes coordinates'):
        found(torch.rand(1, 4, 16, 16))


def test_wrong_files_are_named(tmp_path, exported):
    with pytest.raises(FileNotFoundError, match='export a checkpoint by tools/export.py'):
        OnnxNetwork(tmp_path / 'none.onnx')
    (tmp_path / 'cut.onnx').write_bytes(exported[0].read_bytes()[:2000])
    with pytest.raises(ValueError, match=r'cut.onnx is damaged or no ONNX file'):
        OnnxNetwork(tmp_path / 'cut.onnx')
    model = onnx.load(exported[0])
    del model.metadata_props[:]
    onnx.save(model, tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match='does not say what it takes'):
        OnnxNetwork(tmp_path / 'other.onnx')


class Tiny(nn.Module):
    """Coordinates behind the raw, and nothing more: exported in no time."""

    raw_input = LiteISPNet.raw_input

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 12, 1)

    def forward(self, raw, coord):
        return nn.functional.pixel_shuffle(self.conv(torch.cat([raw, coord], 1)), 2)


def test_baked_coordinates_are_those_of_the_patch(tmp_path):
    network, path = Tiny(), tmp_path / 'baked.onnx'
    export_onnx(network, path, coord='patch', sizes=[(32, 40)])
    raw = torch.rand(2, 4, 24, 56)
    expected = run(network, raw, coord_map(24, 56).expand(2, 2, 24, 56))
    torch.testing.assert_close(OnnxNetwork(path)(raw), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(run(PatchCoord(network), raw), expected, rtol=0, atol=1e-6)


def test_nothing_is_written_when_it_differs(tmp_path, monkeypatch):
    monkeypatch.setattr('rawtoolbox.apis.export.TOLERANCE', -1.0)
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
