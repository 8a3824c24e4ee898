"""Backbones run by OpenVINO on a CPU: converted on the spot, or from a file."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.deployment.fold import fold_network, freeze
from rawtoolbox.files.atomic import sha256
from rawtoolbox.files.seal import blank, check_seal, seal

INSTALL = 'pip install "rawtoolbox[openvino]"'
PRECISIONS = {torch.float32: 'f32', torch.bfloat16: 'bf16', torch.float16: 'f16'}
KIND = 'xml'  # of the hash that a file carries
METADATA = 'rawtoolbox'  # where a file of this toolbox carries its plain values
FAILURES = ('General', 'NotImplemented', 'OpConversion', 'OpValidation')  # of a conversion
SHAPES = 4  # compiled networks that are kept; a frame's tiles are mostly of one shape


class OpenVinoNetwork(nn.Module):
    """A backbone run by OpenVINO; called as a backbone is, float32 in, float32 out, on the CPU.

    It is compiled for every shape that it meets, with ``SHAPES`` kept, which takes about a second; one that is given
    as a module is converted first, which takes a few.

    >>> OpenVinoNetwork(network, torch.bfloat16)(raw, coord).shape  # doctest: +SKIP
    torch.Size([1, 3, 448, 448])

    Args:
        source: A backbone, which is left alone, or a file of ``tools/export.py``: ``.onnx``, or ``.xml`` whose
            convolutions are in int8.
        dtype: What it computes in, where the processor can: with bfloat16 and float16 everything is, so the image
            is rounded too. A file's int8 convolutions stay such; the type is that of the rest.
        threads: CPU threads; None for as many as torch uses.

    Attributes:
        raw_input: What it takes, a ``RawInput``.
        metadata: Everything that the file carries, by name.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is no such file, or the type is another.
        ImportError: openvino is missing; the message says how to install it.
    """

    def __init__(
        self,
        source: nn.Module | str | Path,
        dtype: torch.dtype = torch.float32,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        if dtype not in PRECISIONS:
            raise ValueError(f'dtype: expected float32, bfloat16 or float16, found {dtype}.')
        self.core = import_openvino().Core()
        self.precision, self.threads = PRECISIONS[dtype], threads
        self.model, self.requests = None, {}
        if isinstance(source, nn.Module):
            self.network = fold_network(source).float().cpu()
            self.raw_input = getattr(source, 'raw_input', RawInput())
            self.metadata: dict[str, Any] = {'smallest': 1}
        else:
            self.model, self.metadata = read_exported(source)
            self.raw_input = RawInput.from_plain(self.metadata['raw_input'], str(source))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        """Maps raw (N, C, h, w), and coordinates (N, 2, h, w) where they are taken, to sRGB.

        Raises:
            ValueError: The shape is none that the network takes, it cannot be converted, or the coordinates are
                missing.
        """
        self.raw_input.check(raw, self.metadata['smallest'])
        given = [raw] if coord is None else [raw, coord]
        shapes = tuple(tuple(value.shape) for value in given)
        if shapes not in self.requests:
            while len(self.requests) >= SHAPES:
                self.requests.pop(next(iter(self.requests)))
            self.requests[shapes] = self._compiled(given)
        request = self.requests[shapes]
        arrays = [value.detach().float().cpu().contiguous().numpy() for value in given]
        feed = dict(enumerate(arrays[: len(request.model_inputs)]))
        return torch.from_numpy(request.infer(feed, share_inputs=True)[0].copy())

    def _compiled(self, given: list[Tensor]) -> Any:
        """A request for inputs of these shapes."""
        model = self._model(given)
        options = {
            'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_PRECISION_HINT': self.precision,
            'INFERENCE_NUM_THREADS': self.threads or torch.get_num_threads(),
            'ENABLE_CPU_PINNING': False,  # others may use the machine
        }
        return self.core.compile_model(model, 'CPU', options).create_infer_request()

    def _model(self, given: list[Tensor]) -> Any:
        if self.model is None:
            return convert(self.network, given)
        model = self.model.clone()
        if len(model.inputs) > len(given):
            raise ValueError('coord: this file takes coordinates: pass (N, 2, h, w).')
        model.reshape({port: list(value.shape) for port, value in zip(model.inputs, given, strict=False)})
        return model


def convert(network: nn.Module, given: list[Tensor]) -> Any:
    """A network as an OpenVINO model for inputs of these shapes.

    Raises:
        ValueError: It cannot be converted.
    """
    ov = import_openvino()
    failures = [getattr(ov.frontend, f'{kind}Failure') for kind in FAILURES]
    try:
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter('ignore')  # torch's own, about its internals
            example = tuple(torch.zeros(value.shape) for value in given)
            return ov.convert_model(torch.export.export(freeze(network), example, strict=False))
    except (RuntimeError, *failures) as error:  # torch's own are runtime errors
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f'{type(network).__name__} cannot be converted to OpenVINO: {reason}') from error


def read_exported(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """A model of ``tools/export.py`` and the plain values that it carries.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is damaged, or none of this toolbox.
    """
    ov = import_openvino()
    if not Path(path).is_file():
        raise FileNotFoundError(f'No file {path}: export a checkpoint by tools/export.py first.')
    onnx = Path(path).suffix == '.onnx'
    check_seal(path, 'onnx' if onnx else KIND)
    weights = None if onnx else _weights_hash(path)
    try:
        model = ov.Core().read_model(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f'{path} is damaged or no file of tools/export.py: {reason}') from error
    found = model.get_rt_info()
    if METADATA in found:
        metadata = json.loads(found[METADATA].astype(str))
        if metadata.get('weights') != weights:
            raise ValueError(
                f'{Path(path).with_suffix(".bin")} is damaged or belongs to another file than {Path(path).name}: '
                'export it anew by tools/export.py.'
            )
        return model, metadata
    carried = found['framework'] if 'framework' in found else {}  # noqa: SIM401  ONNX's; it has no get()
    if 'raw_input' not in carried:
        raise ValueError(f'{path} does not say what it takes: export it by tools/export.py.')
    return model, {name: json.loads(value.astype(str)) for name, value in carried.items()}


def write_model(model: Any, path: str | Path, metadata: dict[str, Any]) -> None:
    """Writes a model as ``path`` (.xml) and the weights beside it (.bin), with plain values that it carries."""
    save = import_openvino().save_model
    save(model, str(path), compress_to_fp16=False)
    carried = {**metadata, 'weights': _weights_hash(path), 'seal': blank(KIND)}
    model.set_rt_info(json.dumps(carried), METADATA)
    save(model, str(path), compress_to_fp16=False)
    seal(path, KIND)


def _weights_hash(path: str | Path) -> str:
    weights = Path(path).with_suffix('.bin')
    if not weights.is_file():
        raise FileNotFoundError(f'No file {weights}, which {path} needs: export it anew by tools/export.py.')
    return sha256(weights)


def import_openvino() -> ModuleType:
    """OpenVINO.

    Raises:
        ImportError: It is missing; the message says how to install it.
    """
    try:
        import openvino
    except ImportError as error:
        raise ImportError(f'The openvino backend needs openvino ({error}): {INSTALL}') from error
    return openvino
