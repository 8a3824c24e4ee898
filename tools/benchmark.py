"""Measures how fast parts of the toolbox are, against their plain form and against what the machine can do.

    python tools/benchmark.py inference --json inference.json
    python tools/benchmark.py flow --threads 1
    python tools/benchmark.py report *.json -o docs/benchmarks.md

The forms are timed in turn in one run, so that a busy machine disturbs all alike; medians are printed, the distance
of the quartiles, and the ratio to the first form. The ceiling is a large matrix product in the same type, timed in
the same rounds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from rawtoolbox.benchmarks.speed import COMMANDS, load_command
from rawtoolbox.benchmarks.speed.report import as_page, as_text, read_report
from rawtoolbox.engine.cli import run_cli
from rawtoolbox.files.atomic import check_writable, write_atomically


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    for name in COMMANDS:
        command = load_command(name)
        child = commands.add_parser(name, help=command.HELP, description=command.__doc__)
        child.add_argument('--repeats', type=int, default=10, help='rounds that count (10)')
        child.add_argument('--threads', type=int, help="CPU threads (default: torch's)")
        child.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
        child.add_argument('--json', help='file for the numbers')
        command.add_arguments(child)
    page = commands.add_parser('report', help='writes a page of what --json kept')
    page.add_argument('files', nargs='+', help='of --json, in the order of the page')
    page.add_argument('-o', '--out', required=True, help='.md to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.command == 'report':
        write_atomically(args.out, as_page([read_report(path) for path in args.files]))
        return
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.json:
        check_writable(Path(args.json).parent)
    torch.manual_seed(0)
    report = load_command(args.command).measure(args)
    print(as_text(report))
    if args.json:
        write_atomically(args.json, report.to_json())


if __name__ == '__main__':
    run_cli(main)
