"""int8 for OpenVINO by post-training quantisation, calibrated on one's own files."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rawtoolbox.deployment.onnx_network import export_onnx
from rawtoolbox.deployment.openvino_network import (
    OpenVinoNetwork,
    import_openvino,
    read_exported,
    write_model,
)

INSTALL = 'pip install "rawtoolbox[int8]"'

Patch = tuple[Tensor, Tensor]


def export_int8(
    network: nn.Module,
    path: str | Path,
    patches: Sequence[Patch],
    metadata: dict[str, Any] | None = None,
    **options: Any,
) -> float:
    """Writes a backbone as an OpenVINO file whose convolutions are in int8.

    Weights are quantised channel by channel, features by the range that they have on the patches (NNCF's
    post-training quantisation, symmetric for weights, biases corrected). Nothing is trained.

    Args:
        network: The backbone, which is left alone.
        path: The ``.xml`` file to write; the weights lie beside it as ``.bin``.
        patches: Raws (1, C, h, w) and coordinates (1, 2, h, w) like those that it will be given, a few dozen.
        metadata: Plain values that the file carries, see :func:`~rawtoolbox.deployment.onnx_network.export_onnx`.
        **options: Others of ``export_onnx``.

    Returns:
        The PSNR between its images of the patches and the network's, in dB.

    Raises:
        ValueError: There are no patches, or the network cannot be exported.
        ImportError: openvino or nncf is missing; the message says how to install it.
    """
    if not patches:
        raise ValueError('patches: int8 is calibrated on some, found none.')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        exported, weights = Path(folder) / 'network.onnx', Path(folder) / 'quantised.bin'
        export_onnx(network, exported, metadata, **options)
        model, carried = read_exported(exported)
        write_model(quantise(model, patches), weights.with_suffix('.xml'), {**carried, 'dtype': 'int8'})
        weights.replace(path.with_suffix('.bin'))
        weights.with_suffix('.xml').replace(path)
    return agreement(OpenVinoNetwork(path), network, patches)


def quantise(model: Any, patches: Sequence[Patch]) -> Any:
    """An OpenVINO model with its convolutions in int8, see :func:`export_int8`."""
    nncf = import_nncf()
    items = [dict(enumerate(value.numpy() for value in patch[: len(model.inputs)])) for patch in patches]
    with contextlib.redirect_stdout(io.StringIO()):  # its own progress bars
        return nncf.quantize(
            model, nncf.Dataset(items), preset=nncf.QuantizationPreset.MIXED, subset_size=len(items)
        )


def agreement(first: Any, second: nn.Module, patches: Sequence[Patch]) -> float:
    """PSNR between the images that two networks make of patches, in dB."""
    with torch.no_grad():
        errors = [(first(*patch).double() - second(*patch).double()).square().mean() for patch in patches]
    return float(-10 * torch.stack(errors).mean().log10())


def import_nncf() -> Any:
    """NNCF, told to be quiet.

    Raises:
        ImportError: It is missing; the message says how to install it.
    """
    import_openvino()
    try:
        import nncf
    except ImportError as error:
        raise ImportError(f'int8 needs nncf ({error}): {INSTALL}') from error
    nncf.set_log_level(logging.ERROR)
    return nncf
