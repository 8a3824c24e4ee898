"""int8 for OpenVINO by post-training quantisation, calibrated on one's own files."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rawtoolbox.deployment.onnx_network import export_onnx
from rawtoolbox.deployment.openvino_network import (
    OpenVinoNetwork,
    import_openvino,
    read_exported,
    write_model,
)
from rawtoolbox.inference.camera_adaptation import network_input
from rawtoolbox.inference.trained import TrainedNetwork
from rawtoolbox.raw.develop import linear_mosaic
from rawtoolbox.raw.reader import open_raw

INSTALL = 'pip install "rawtoolbox[int8]"'
PATCHES = 32  # that calibrate

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


def calibration_patches(
    files: Sequence[Path], trained: TrainedNetwork, count: int = PATCHES, **geometry: Any
) -> list[Patch]:
    """Patches from everywhere in a few frames, as the network takes them.

    Args:
        files: Raw files; as many patches are taken from each.
        trained: The network, with the size of its training patches.
        count: How many at least.
        **geometry: For files that do not say it themselves, see `open_raw`.

    Raises:
        FileNotFoundError, ValueError: A file cannot be used, or is smaller than a patch.
    """
    generator = np.random.default_rng(0)
    each = -(-count // len(files))
    return [patch for file in files for patch in _patches_of(file, trained, each, generator, geometry)]


def _patches_of(
    file: Path, trained: TrainedNetwork, count: int, generator: np.random.Generator, geometry: dict[str, Any]
) -> Iterator[Patch]:
    form = trained.raw_input
    raw, coord = network_input(linear_mosaic(open_raw(file, **geometry)), trained)
    step = form.multiple
    side = trained.patch_size // (2 if form.layout == 'packed' else 1) // step * step
    if min(raw.shape[-2:]) < side:
        raise ValueError(f'{file} is smaller than a training patch of {trained.patch_size} pixels.')
    for _ in range(count):
        top, left = (int(generator.integers(length - side + 1)) for length in raw.shape[-2:])
        part = (..., slice(top, top + side), slice(left, left + side))
        yield raw[part].contiguous(), coord[part].contiguous()


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
