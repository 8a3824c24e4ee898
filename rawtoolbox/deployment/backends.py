"""Backbones made ready to run by name: as they are, optimised, by OpenVINO, or by whichever is the fastest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from rawtoolbox.deployment.onnx_network import OnnxNetwork, check_origin
from rawtoolbox.deployment.openvino_network import OpenVinoNetwork
from rawtoolbox.deployment.optimize import optimize_for_inference

Backend = Literal['plain', 'torch', 'openvino', 'auto']

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
REST_OF_INT8 = torch.float32  # what is left beside the convolutions
BACKENDS = ('auto', 'torch', 'openvino', 'plain')
AGREES = 55.0  # dB to the plain network: a PSNR of 30 dB against any target moves by 0.02 dB at the most on average
WORTH_IT = 1.1  # by what a form must be faster to be taken
WORTH_CONVERTING = 0.05  # seconds that torch must need before OpenVINO is tried: converting takes seconds
ROUNDS, ENOUGH = 3, 0.5  # a form is run as often, unless that takes more seconds


def make_network(
    backbone: nn.Module,
    backend: Backend = 'auto',
    device: torch.device | str = 'cpu',
    dtype: torch.dtype | None = None,
    graphs: bool = False,
) -> nn.Module:
    """A backbone ready to run.

    Args:
        backbone: The network, which is left alone but for its device.
        backend: ``'plain'``: as it is; ``'torch'``: see `optimize_for_inference`; ``'openvino'``: see
            `OpenVinoNetwork`; ``'auto'``: see `FastestNetwork`.
        device: Where it is to run; OpenVINO knows the CPU only.
        dtype: What it computes in; None for float32, or with ``'auto'`` for what is faster.
        graphs: As of `optimize_for_inference`.

    Raises:
        ValueError: No such backend, or not on this device.
        ImportError: openvino is missing.
    """
    device = torch.device(device)
    if backend not in BACKENDS:
        raise ValueError(f'backend: expected one of {", ".join(BACKENDS)}, found {backend!r}.')
    if backend == 'openvino' and device.type != 'cpu':
        raise ValueError(f'backend: openvino runs on the CPU; on {device} use torch.')
    if backend == 'plain' and dtype not in (None, torch.float32):
        raise ValueError(f'backend: the plain network computes in float32; for {dtype} use torch.')
    if backend == 'auto':
        return FastestNetwork(backbone, device, dtype, graphs)
    if backend == 'plain':
        return backbone.to(device)
    if backend == 'openvino':
        return OpenVinoNetwork(backbone, dtype or torch.float32)
    return optimize_for_inference(backbone, device, dtype or torch.float32, graphs)


@dataclass(frozen=True)
class Choice:
    """What `FastestNetwork` has settled on.

    Attributes:
        backend: ``'torch'`` or ``'openvino'``.
        dtype: What it computes in.
        speedup: Over the optimised network of torch in float32.
        decibels: PSNR to that network's image.
    """

    backend: Backend
    dtype: torch.dtype
    speedup: float = 1.0
    decibels: float = float('inf')

    def __str__(self) -> str:
        name = f'{self.backend} in {str(self.dtype).removeprefix("torch.")}'
        if self.speedup == 1:
            return name
        return f'{name}, {self.speedup:.1f} times as fast as torch in float32, {self.decibels:.0f} dB to it'


class FastestNetwork(nn.Module):
    """Tries what is installed on the first input, and goes on with the fastest form that keeps the image.

    Candidates are the optimised network in float32 and in bfloat16, then, on a CPU where openvino is installed and
    the network is slow enough to be worth the conversion, OpenVINO in the better of the two types. A form keeps the
    image if it is within ``AGREES`` dB of the first one's. What was found is kept for other networks of the same
    structure in this process.

    Args:
        backbone: The network.
        device: Where it is to run.
        dtype: The only type to be tried; None for those above.
        graphs: As of `optimize_for_inference`.

    Attributes:
        choice: What was found; None before the first input.
    """

    found: dict[tuple, Choice] = {}  # noqa: RUF012  by structure, for the whole process

    def __init__(
        self,
        backbone: nn.Module,
        device: torch.device | str = 'cpu',
        dtype: torch.dtype | None = None,
        graphs: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.device, self.dtype, self.graphs = (
            backbone.eval(),
            torch.device(device),
            dtype,
            graphs,
        )
        self.raw_input = getattr(backbone, 'raw_input', None)
        sizes = tuple(sorted((name, tuple(value.shape)) for name, value in backbone.state_dict().items()))
        self.key = (type(backbone), sizes, self.device, dtype, torch.get_num_threads())
        self.choice: Choice | None = None
        self.chosen: nn.Module | None = None

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        if self.chosen is None:
            known = self.found.get(self.key)
            self.choice, self.chosen = (known, self._made(known)) if known else self._choose(raw, coord)
            self.found[self.key] = self.choice
        return self.chosen(raw, coord)

    def _made(self, choice: Choice) -> nn.Module:
        return make_network(self.backbone, choice.backend, self.device, choice.dtype, self.graphs)

    def _choose(self, raw: Tensor, coord: Tensor | None) -> tuple[Choice, nn.Module]:
        """The fastest candidate, tried on an input."""
        with torch.no_grad():
            best = Choice('torch', torch.float32)
            network = self._made(best)
            expected, seconds = _run(network, raw, coord)
            first = seconds
            for name, dtype in self._candidates():
                if name == 'openvino' and seconds < WORTH_CONVERTING:
                    continue
                try:
                    candidate = self._made(Choice(name, dtype or best.dtype))
                    image, taken = _run(candidate, raw, coord)
                except (ValueError, RuntimeError):
                    continue  # what this form cannot run, another does
                agrees = decibels(image, expected)
                if agrees >= AGREES and seconds > WORTH_IT * taken:
                    best = Choice(name, dtype or best.dtype, first / taken, agrees)
                    network, seconds = candidate, taken
        return best, network

    def _candidates(self) -> list[tuple[Backend, torch.dtype | None]]:
        """Beside torch in float32; no type for that of the best one so far."""
        found: list[tuple[Backend, torch.dtype | None]] = []
        if self.dtype != torch.float32:
            found.append(('torch', self.dtype or torch.bfloat16))
        if self.device.type == 'cpu' and find_spec('openvino'):
            found.append(('openvino', self.dtype))
        return found


def open_backend(
    backend: str, checkpoint: str | Path, dtype: str | None = None, exported: str | Path | None = None
) -> Backend | OnnxNetwork | OpenVinoNetwork:
    """What a command line's ``--backend``, ``--dtype`` and ``--exported`` ask for.

    Args:
        backend: One of ``BACKENDS``, or ``'onnxruntime'``, which needs an exported file.
        checkpoint: What it was exported from; files beside it are found by their names.
        dtype: A type of the Inferencer's, or ``'int8'``, which needs an exported file.
        exported: That file.

    Returns:
        An exported network, or the backend's name where the checkpoint is all that it needs.

    Raises:
        FileNotFoundError: There is no exported file.
        ValueError: It is not this checkpoint's, or the backend cannot run it.
        ImportError: The backend is not installed.
    """
    if backend == 'onnxruntime':
        return check_origin(OnnxNetwork(exported or Path(checkpoint).with_suffix('.onnx')), checkpoint)
    if dtype != 'int8' and exported is None:
        return backend
    if backend not in ('auto', 'openvino'):
        raise ValueError(
            f'--backend {backend} cannot run what --dtype int8 or --exported ask for: use openvino.'
        )
    path = exported or Path(checkpoint).with_suffix('.int8.xml')
    if not Path(path).is_file():
        raise FileNotFoundError(f'No file {path}: make it by tools/export.py --int8 --calibrate FILES.')
    return check_origin(
        OpenVinoNetwork(path, REST_OF_INT8 if dtype == 'int8' else DTYPES[dtype or 'float32']), checkpoint
    )


def decibels(image: Tensor, expected: Tensor) -> float:
    """PSNR of images in [0, 1], not rounded."""
    return float(-10 * (image.double() - expected.double()).square().mean().log10())


def _run(network: Callable[..., Tensor], raw: Tensor, coord: Tensor | None) -> tuple[Tensor, float]:
    """A network's image, and the least seconds that it took after a first run."""
    image, times = network(raw, coord), []
    while len(times) < ROUNDS and sum(times) < ENOUGH:
        start = time.perf_counter()
        image = network(raw, coord)
        image.sum().item()  # waits for the device
        times.append(time.perf_counter() - start)
    return image, min(times)
