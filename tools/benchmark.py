"""Measures how fast parts of the toolbox are, against their plain form and against what the machine can do.

    python tools/benchmark.py inference --json inference.json
    python tools/benchmark.py flow --threads 1

The forms are timed in turn in one process, so that a busy machine disturbs all alike; medians are printed, the
distance of the quartiles, and the ratio to the first form. The ceiling is a large matrix product in the same
type, timed in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from rawtoolbox.apis.benchmark import (
    PRODUCT_OPERATIONS,
    convolutions_alone,
    matrix_product,
    report,
    summarise,
    time_in_turn,
)
from rawtoolbox.apis.complexity import count_macs
from rawtoolbox.apis.export import OnnxNetwork, export_onnx
from rawtoolbox.apis.optimize import optimize_for_inference
from rawtoolbox.engine.cli import run_cli
from rawtoolbox.engine.files import write_atomically
from rawtoolbox.flow import PWCNet
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.registry import BACKBONES

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
FLOW_TARGET = 1.25  # times its convolutions alone


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--size', type=int, default=448, help='side of the patch in sensor pixels (448)')
    common.add_argument('--repeats', type=int, default=10, help='rounds that count (10)')
    common.add_argument('--threads', type=int, help="CPU threads (default: torch's)")
    common.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    common.add_argument('--json', help='file for the numbers')
    commands = parser.add_subparsers(dest='command', required=True)
    inference = commands.add_parser('inference', parents=[common], help='a backbone on one patch')
    inference.add_argument('--network', default='LiteISPNet', help='name of a backbone (LiteISPNet)')
    inference.add_argument('--dtypes', nargs='+', choices=DTYPES, default=['float32', 'bfloat16'])
    inference.add_argument(
        '--no-onnx', action='store_true', help='leave ONNX Runtime out: exporting takes a while'
    )
    commands.add_parser('flow', parents=[common], help='PWC-Net against its convolutions alone')
    return parser.parse_args()


def time_inference(args: argparse.Namespace) -> dict[str, Any]:
    """Plain eager float32 against optimised networks and ONNX Runtime."""
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
    ceilings = {name: peak[name.split()[-1]] for name in forms}
    operations = 2 * count_macs(network, raw, coord)
    title = f'{args.network}, {args.size}x{args.size} pixels, {operations / 1e9:.1f} GFLOP'
    return report(
        title, summarise(seconds, operations, ceilings), args.device, ceilings=peak, differences=differences
    )


def time_flow(args: argparse.Namespace) -> dict[str, Any]:
    """PWC-Net against its convolutions, which warps and cost volumes should add little to."""
    network = PWCNet(weights=None).eval().to(args.device)
    images = torch.rand(2, 1, 3, args.size, args.size, device=args.device)
    calls = {'convolutions alone': convolutions_alone(network, *images), 'PWC-Net': lambda: network(*images)}
    with torch.inference_mode():
        timings = summarise(time_in_turn(calls, args.repeats, device=args.device))
    result = report(f'PWC-Net, {args.size}x{args.size} pixels', timings, args.device)
    result['ratio'] = 1 / timings[1].speedup
    print(f'{result["ratio"]:.2f} times the convolutions alone; the target is {FLOW_TARGET}.')
    return result


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    result = {'inference': time_inference, 'flow': time_flow}[args.command](args)
    if args.json:
        write_atomically(args.json, json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    run_cli(main)
