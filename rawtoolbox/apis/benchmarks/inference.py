"""A backbone on one patch: plain eager float32 against optimised networks and ONNX Runtime."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from rawtoolbox.apis.benchmarks.machine import PRODUCT_OPERATIONS, machine, matrix_product
from rawtoolbox.apis.benchmarks.report import Report
from rawtoolbox.apis.benchmarks.timing import TIMING_COLUMNS, summarise, time_in_turn, timing_row
from rawtoolbox.apis.complexity import count_macs
from rawtoolbox.apis.export import OnnxNetwork, export_onnx
from rawtoolbox.apis.optimize import optimize_for_inference
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.registry import BACKBONES

HELP = 'a backbone on one patch'
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--size', type=int, default=448, help='side of the patch in sensor pixels (448)')
    parser.add_argument('--network', default='LiteISPNet', help='name of a backbone (LiteISPNet)')
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=['float32', 'bfloat16'])
    parser.add_argument(
        '--no-onnx', action='store_true', help='leave ONNX Runtime out: exporting takes a while'
    )


def measure(args: argparse.Namespace) -> Report:
    network = BACKBONES.build({'type': args.network}).eval().to(args.device)
    form = network.raw_input
    side = args.size // (2 if form.layout == 'packed' else 1)
    raw = torch.rand(1, form.channels, side, side, device=args.device)
    coord = coord_map(side, side, device=args.device)[None]
    forms: dict[str, Callable] = {'plain float32': network}
    for name in args.dtypes:
        forms[f'optimised {name}'] = optimize_for_inference(network, args.device, DTYPES[name])
    if not args.no_onnx:
        with tempfile.TemporaryDirectory() as folder:
            export_onnx(network, Path(folder) / 'network.onnx', sizes=[(side, side)])
            forms['onnxruntime float32'] = OnnxNetwork(Path(folder) / 'network.onnx')
    calls = {name: lambda form=form: form(raw, coord) for name, form in forms.items()}
    products = {name: matrix_product(DTYPES[name], args.device) for name in ('float32', *args.dtypes)}
    with torch.inference_mode():
        expected = network(raw, coord)
        differences = {name: float((form(raw, coord) - expected).abs().max()) for name, form in forms.items()}
        seconds = time_in_turn(calls | products, args.repeats, device=args.device)
    peak = {name: PRODUCT_OPERATIONS / statistics.median(seconds.pop(name)) for name in products}
    operations = 2 * count_macs(network, raw, coord)
    timings = summarise(seconds, operations, {name: peak[name.split()[-1]] for name in forms})
    return Report(
        'inference',
        f'{args.network}, {args.size}x{args.size} pixels, {operations / 1e9:.1f} GFLOP',
        (*TIMING_COLUMNS, 'share of ceiling'),
        [(*timing_row(t), t.ceiling and f'{t.ceiling:.0%}') for t in timings],
        machine(args.device),
        [f'Matrix product in {name}: {speed / 1e9:.0f} GFLOP/s.' for name, speed in peak.items()],
        {
            'timings': [asdict(timing) for timing in timings],
            'ceilings': peak,
            'differences': differences,
        },
    )
