"""Backbones as ONNX files that carry their configuration, and such files as networks."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.deployment.fold import fold_network, freeze
from rawtoolbox.files.atomic import atomic_path
from rawtoolbox.files.seal import blank, check_seal, seal
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.weights.checkpoint import checkpoint_id

KIND = 'onnx'  # of the hash that a file carries
TOLERANCE = 1e-4
INSTALL = 'pip install "rawtoolbox[export]"'

Coord = Literal['input', 'patch']
Exported = TypeVar('Exported')  # a network with `metadata`


def export_onnx(
    backbone: nn.Module,
    path: str | Path,
    metadata: dict[str, Any] | None = None,
    coord: Coord = 'input',
    smallest: int = 1,
    sizes: Sequence[tuple[int, int]] = ((224, 224), (88, 136)),
) -> float:
    """Writes a backbone as an ONNX file of any batch, height and width, and checks it against torch.

    Wavelets are folded first (:func:`~rawtoolbox.deployment.fold.fold_network`). The file appears only when it has
    passed the check.

    Args:
        backbone: The network, which is left alone; a version of
            :func:`~rawtoolbox.inference.tiles.statistics.local_version` works too.
        path: The ``.onnx`` file to write.
        metadata: Plain values that the file carries, such as the backbone's ``config``.
        coord: ``'input'``: coordinates are the file's second input; ``'patch'``: they are baked in, those of a patch
            that is its own frame, as the released code has them.
        smallest: Least height and width that the file has to take, in its input's samples.
        sizes: Heights and widths at which the file is compared with the network, raised to multiples of what the
            network takes, and to ``smallest``.

    Returns:
        The largest difference that was found.

    Raises:
        ValueError: The network cannot be exported, or the file gives something else; nothing is written.
        ImportError: onnx, onnxscript or onnxruntime is missing; the message says how to install them.
    """
    if coord not in ('input', 'patch'):
        raise ValueError(f"coord is 'input' or 'patch', found {coord!r}.")
    form = getattr(backbone, 'raw_input', RawInput())
    plain = freeze(copy.deepcopy(backbone)).float().cpu()
    network = fold_network(plain)
    least = _round_up(max(smallest, 1), form.multiple)
    sides = [tuple(_round_up(max(side, least), form.multiple) for side in size) for size in sizes]
    program = _program(PatchCoord(network) if coord == 'patch' else network, form, coord, least, sides[0])
    values = {'raw_input': asdict(form), 'coord': coord, 'smallest': least, **(metadata or {})}
    values['seal'] = blank(KIND)
    program.model.metadata_props.update({key: json.dumps(value) for key, value in values.items()})
    with atomic_path(path) as temporary:
        program.save(temporary)
        seal(temporary, KIND)
        difference = largest_difference(OnnxNetwork(temporary), plain, form, sides)
        if not difference <= TOLERANCE:
            raise ValueError(
                f'{path}: ONNX Runtime differs from torch by {difference:g}, more than {TOLERANCE:g}: not written.'
            )
    return difference


def largest_difference(
    exported: OnnxNetwork, network: nn.Module, form: RawInput, sizes: Sequence[tuple[int, int]]
) -> float:
    """The largest difference between an exported network and the original, on noise of several sizes."""
    generator, differences = torch.Generator().manual_seed(0), []
    for height, width in sizes:
        raw = torch.rand(1, form.channels, height, width, generator=generator)
        place = coord_map(height, width)[None]
        with torch.no_grad():
            differences.append(float((exported(raw, place) - network(raw, place)).abs().max()))
    return max(differences)


class OnnxNetwork:
    """An exported backbone, run by ONNX Runtime; called as a backbone is.

    >>> OnnxNetwork('liteisp.onnx')(raw, coord).shape  # doctest: +SKIP
    torch.Size([1, 3, 448, 448])

    Args:
        path: A file written by :func:`export_onnx`.
        threads: CPU threads; None for as many as torch uses.

    Attributes:
        raw_input: What it takes, a ``RawInput``.
        metadata: Everything that the file carries, by name.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is no ONNX file, or none of this toolbox.
        ImportError: onnxruntime is missing; the message says how to install it.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        ort, errors = _import_onnxruntime()
        if not Path(path).is_file():
            raise FileNotFoundError(f'No file {path}: export a checkpoint by tools/export.py first.')
        check_seal(path, KIND)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        wanted = ('CUDAExecutionProvider', 'CPUExecutionProvider')
        providers = [name for name in wanted if name in ort.get_available_providers()]
        try:
            self.session = ort.InferenceSession(str(path), options, providers=providers)
        except (errors.InvalidProtobuf, errors.InvalidGraph, errors.Fail, errors.NotImplemented) as error:
            raise ValueError(f'{path} is damaged or no ONNX file: {str(error).splitlines()[0]}') from error
        stored = self.session.get_modelmeta().custom_metadata_map
        if 'raw_input' not in stored:
            raise ValueError(f'{path} does not say what it takes: export it by tools/export.py.')
        self.metadata: dict[str, Any] = {key: json.loads(stored[key]) for key in stored}
        self.raw_input = RawInput.from_plain(self.metadata['raw_input'], str(path))
        self.names = {value.name for value in self.session.get_inputs()}

    def __call__(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps raw (N, C, h, w), and coordinates (N, 2, h, w) where the file takes them, to sRGB, on the CPU.

        Raises:
            ValueError: The shape is none that the network takes, or the coordinates are missing.
        """
        self.raw_input.check(raw, self.metadata['smallest'])
        if 'coord' in self.names and coord is None:
            raise ValueError('coord: this file takes coordinates: pass (N, 2, h, w).')
        given = {name: value for name, value in (('raw', raw), ('coord', coord)) if name in self.names}
        feed = {name: value.detach().float().cpu().contiguous().numpy() for name, value in given.items()}
        return torch.from_numpy(self.session.run(None, feed)[0])


def check_origin(network: Exported, checkpoint: str | Path) -> Exported:
    """Gives an exported network back if it was exported from this checkpoint.

    Raises:
        ValueError: It was exported from another one.
    """
    found, wanted = network.metadata.get('checkpoint'), checkpoint_id(checkpoint)
    if (
        found is None or found.split()[-1] != wanted.split()[-1]
    ):  # the file may have been renamed, its hash stays
        raise ValueError(
            f'The exported file is of {found}, not of {wanted}: export it anew by tools/export.py.'
        )
    return network


class PatchCoord(nn.Module):
    """A network that makes the coordinates itself: those of a patch that is its own frame.

    Args:
        network: Called as ``network(raw, coord)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = freeze(network)

    def forward(self, raw: Tensor) -> Tensor:
        count, _, height, width = raw.shape
        y, x = ((2 * torch.arange(side) + 1) / side - 1 for side in (height, width))
        place = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
        return self.network(raw, place.expand(count, 2, height, width))


def _program(
    network: nn.Module, form: RawInput, coord: Coord, least: int, size: tuple[int, int]
) -> torch.onnx.ONNXProgram:
    """The exported network; batch, height and width are variables."""
    multiple = form.multiple
    height, width = (torch.export.Dim(name, min=least // multiple) for name in ('rows', 'columns'))
    dims = {0: torch.export.Dim('batch', min=1), 2: multiple * height, 3: multiple * width}
    names = ['raw', 'coord'] if coord == 'input' else ['raw']
    channels = {'raw': form.channels, 'coord': 2}
    # Two images, since torch takes a size of 1 for a constant.
    example = tuple(torch.rand(2, channels[name], *size) for name in names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # torch's own, about its internals
            return torch.onnx.export(
                network,
                example,
                dynamo=True,
                input_names=names,
                output_names=['rgb'],
                dynamic_shapes=dict.fromkeys(names, dims),
                verbose=False,
            )
    except ImportError as error:
        raise ImportError(f'Exporting needs onnx and onnxscript ({error}): {INSTALL}') from error
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().partition('\n')[0]
        raise ValueError(f'{type(network).__name__} cannot be exported: {reason}') from error


def _import_onnxruntime() -> tuple[ModuleType, ModuleType]:
    """ONNX Runtime and its exceptions."""
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state
    except ImportError as error:
        raise ImportError(f'The onnxruntime backend needs onnxruntime ({error}): {INSTALL}') from error
    return onnxruntime, onnxruntime_pybind11_state


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
