"""A backbone on patches: plain eager float32 against optimised networks, ONNX Runtime and OpenVINO.

Speed is measured on one patch, all forms in turn. What it costs is measured on simulated patches that were held out:
the PSNR between each form's image and the plain network's, and with a checkpoint also that against the exactly
aligned target. int8 is calibrated on patches of other photographs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import torch

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.benchmarks.speed.machine import (
    COPY_BYTES,
    PRODUCT_OPERATIONS,
    machine,
    matrix_product,
    memory_copy,
    peak_memory,
)
from rawtoolbox.benchmarks.speed.photographs import Sample, simulated_samples
from rawtoolbox.benchmarks.speed.report import Report
from rawtoolbox.benchmarks.speed.timing import TIMING_COLUMNS, summarise, time_in_turn, timing_row
from rawtoolbox.deployment.backends import DTYPES, decibels
from rawtoolbox.deployment.complexity import count_macs
from rawtoolbox.deployment.int8 import export_int8
from rawtoolbox.deployment.onnx_network import OnnxNetwork, export_onnx
from rawtoolbox.deployment.openvino_network import OpenVinoNetwork
from rawtoolbox.deployment.optimize import optimize_for_inference
from rawtoolbox.engine.cli import add_import, import_modules
from rawtoolbox.inference.trained import TrainedNetwork, load_trained
from rawtoolbox.registry import BACKBONES

HELP = 'a backbone on one patch'
PLAIN = 'plain float32'
SCENES = 4  # of each of six photographs, to calibrate int8
FORMS = {  # and the package that each needs
    PLAIN: 'torch',
    'torch float32': 'torch',
    'torch bfloat16': 'torch',
    'torch float16': 'torch',
    'onnxruntime float32': 'onnxruntime',
    'openvino float32': 'openvino',
    'openvino bfloat16': 'openvino',
    'openvino int8': 'nncf',
}
USUAL = [form for form in FORMS if form != 'torch float16']
COLUMNS = (*TIMING_COLUMNS, 'share of ceiling', 'peak, MiB', 'to plain, dB', 'to target, dB')

Network = Callable[..., torch.Tensor]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--size', type=int, default=448, help='side of the patch in sensor pixels (448)')
    parser.add_argument(
        '--network', default='LiteISPNet', help='name of a backbone, untrained (default: LiteISPNet)'
    )
    parser.add_argument('--checkpoint', help='a trained network in its place')
    add_import(parser)
    parser.add_argument(
        '--forms', nargs='+', choices=FORMS, metavar='FORM', help=f'of {", ".join(FORMS)} (what is installed)'
    )
    parser.add_argument(
        '--exported',
        help='folder of exported files of this very network, used again if there (default: none)',
    )
    parser.add_argument('--scenes', type=int, default=2, help='held-out scenes of each photograph (2)')


def measure(args: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        args.exported = args.exported or folder
        return measure_forms(args)


def measure_forms(args: argparse.Namespace) -> Report:
    """The table, with exported files in ``args.exported``."""
    trained = open_network(args)
    network = trained.network.to(args.device)
    samples = simulated_samples(trained, args.size, scenes=args.scenes)
    names = [PLAIN, *(name for name in args.forms or installed(args.device) if name != PLAIN)]
    forms, peaks = {}, {}
    with torch.inference_mode():
        for name in names:
            forms[name], peaks[name] = first_run(name, trained, samples[0], args)
        quality = compare(forms, samples, args.device)
        inputs = [value.to(args.device) for value in samples[0][:2]]
        calls = {name: lambda form=form: form(*inputs) for name, form in forms.items()}
        types = list(dict.fromkeys(name.split()[-1] for name in names))
        dtypes = {**DTYPES, 'int8': torch.int8}
        limits = {name: matrix_product(dtypes[name], args.device) for name in types}
        limits['copy'] = memory_copy(args.device)
        seconds = time_in_turn(calls | limits, args.repeats, device=args.device)
    copied = 2 * COPY_BYTES / statistics.median(seconds.pop('copy'))
    ceilings = {name: PRODUCT_OPERATIONS / statistics.median(seconds.pop(name)) for name in types}
    operations = 2 * count_macs(network, *inputs)
    timings = summarise(seconds, operations, {name: ceilings[name.split()[-1]] for name in forms})
    rows = [
        [
            *timing_row(timing),
            f'{timing.ceiling:.0%}',
            None if peaks[timing.name] is None else peaks[timing.name] >> 20,
            quality[timing.name]['plain'],
            f'{quality[timing.name]["target"]:.3f}' if args.checkpoint else None,
        ]
        for timing in timings
    ]
    title = f'{trained.name}, {args.size}x{args.size} pixels, {operations / 1e9:.1f} GFLOP'
    return Report(
        'inference',
        title,
        COLUMNS,
        rows,
        machine(args.device),
        notes(ceilings, copied, len(samples)),
        {'timings': [asdict(timing) for timing in timings], 'ceilings': ceilings, 'quality': quality},
    )


def notes(ceilings: dict[str, float], copied: float, samples: int) -> list[str]:
    """What is to be read with the table."""
    products = ', '.join(f'{name} {speed / 1e9:.0f} GFLOP/s' for name, speed in ceilings.items())
    return [
        f'The ceiling is a large matrix product in the same type: {products}; copying moves {copied / 1e9:.1f} GB/s. '
        'Operations are those of the plain network: what is folded away counts as done, so the share may exceed '
        '100%.',
        'The peak is that of making a form and running it once. The PSNR to the plain image and to the target is '
        f'the mean over {samples} held-out patches.',
    ]


def open_network(args: argparse.Namespace) -> TrainedNetwork:
    """The checkpoint's network, or an untrained one by name."""
    import_modules(args.imports or ())  # a fresh process has not
    if args.checkpoint:
        return load_trained(args.checkpoint)
    network = BACKBONES.build({'type': args.network}).eval()
    return TrainedNetwork(
        network, getattr(network, 'raw_input', RawInput()), name=f'{args.network}, untrained'
    )


def installed(device: str) -> list[str]:
    """The usual forms whose package is there, and which run on the device."""
    on_gpu = torch.device(device).type == 'cuda'
    return [form for form in USUAL if find_spec(FORMS[form]) and not (on_gpu and 'openvino' in form)]


def first_run(
    name: str, trained: TrainedNetwork, sample: Sample, args: argparse.Namespace
) -> tuple[Network, int | None]:
    """A form that has run once, and the bytes that this took at most."""
    made: list[Network] = []

    def run() -> None:
        made.append(make_form(name, trained, sample, args))
        made[0](*(value.to(args.device) for value in sample[:2]))

    peak = peak_memory(run, args.device)
    return made[0], peak


def make_form(name: str, trained: TrainedNetwork, sample: Sample, args: argparse.Namespace) -> Network:
    """A trained network as one of ``FORMS``; exported files that are there are used again."""
    network, (backend, dtype) = trained.network, name.split()
    device = next(network.parameters()).device
    if backend == 'plain':
        return network
    if backend == 'torch':
        return optimize_for_inference(network, device, DTYPES[dtype])
    if backend == 'openvino' and dtype != 'int8':
        return OpenVinoNetwork(network, DTYPES[dtype])
    path = Path(args.exported) / {'onnxruntime': 'network.onnx', 'openvino': 'network.int8.xml'}[backend]
    if not path.is_file():
        with torch.inference_mode(False):
            write_exported(path, trained, sample)
    return OnnxNetwork(path) if backend == 'onnxruntime' else OpenVinoNetwork(path)


def write_exported(path: Path, trained: TrainedNetwork, sample: Sample) -> None:
    """Writes a network as ONNX, or in int8, calibrated on simulated patches of the sample's size."""
    sizes = [tuple(sample.raw.shape[-2:])]
    if path.suffix == '.onnx':
        export_onnx(trained.network, path, sizes=sizes)
        return
    others = simulated_samples(trained, sample.target.shape[-1], 'train', SCENES)
    export_int8(trained.network, path, [each[:2] for each in others], sizes=sizes)


def compare(
    forms: dict[str, Network], samples: Sequence[Sample], device: str
) -> dict[str, dict[str, float | None]]:
    """PSNR of each form's images to the plain ones and to the targets, the mean over samples."""
    found: dict[str, dict[str, list[float]]] = {name: {'plain': [], 'target': []} for name in forms}
    for raw, coord, target in samples:
        images = {name: form(raw.to(device), coord.to(device)).cpu() for name, form in forms.items()}
        for name, image in images.items():
            found[name]['target'].append(decibels(image.clamp(0, 1), target))
            found[name]['plain'].append(decibels(image, images[PLAIN]))
    means = {
        name: {key: statistics.mean(each) for key, each in values.items()} for name, values in found.items()
    }
    means[PLAIN]['plain'] = None
    return means
