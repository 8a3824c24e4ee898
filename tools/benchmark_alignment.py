"""Measures aligners and flow estimators on pairs whose displacement is known, and says by how many pixels they miss.

    python tools/benchmark_alignment.py --checkpoint work_dirs/gcm_liteisp_demo/epoch_30.pth --out work_dirs/alignment

Every aligner is run on held-out simulated pairs, at the default simulation and along sweeps of colour inconsistency,
displacement and noise, and on scikit-image's real stereo pair. OUT gets tables.txt, pairs.csv (a line a pair) and
figures. Without a checkpoint the rows of the GCM are left out; flow estimators whose weights are nowhere are named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rawtoolbox.benchmarks.alignment import aligners as benchmark
from rawtoolbox.benchmarks.alignment.figure import alignment_figure
from rawtoolbox.benchmarks.alignment.middlebury import middlebury_errors, middlebury_table
from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.files.atomic import check_writable, write_atomically
from rawtoolbox.files.images import write_image
from rawtoolbox.simulation.known_pairs import held_out, simulated_pairs, stereo_pair
from rawtoolbox.weights.carried import load_aligner

SWEEPS = (*benchmark.SWEEPS, benchmark.STEREO)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--checkpoint', help='.pth of a training run whose GCM is measured')
    parser.add_argument('--out', default='work_dirs/alignment', help='folder (default: work_dirs/alignment)')
    parser.add_argument(
        '--flow', nargs='+', choices=benchmark.ESTIMATORS, default=['dis', 'dis-luma'], help='flow estimators'
    )
    parser.add_argument('--sweeps', nargs='*', choices=SWEEPS, default=SWEEPS, help='default: all')
    parser.add_argument('--scenes', type=int, default=3, help='scenes of each photograph (default: 3)')
    parser.add_argument('--patch-size', type=int, default=256, help='side of simulated pairs (default: 256)')
    parser.add_argument(
        '--coord', choices=['frame', 'patch'], default='frame', help='what the GCM was trained with'
    )
    parser.add_argument(
        '--middlebury',
        help='folder of Middlebury sequences, on which the flow estimators alone are measured, too',
    )
    add_import(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.scenes < 1:
        raise ValueError(f'--scenes: expected at least 1, found {args.scenes}.')
    check_writable(args.out)
    mapper = load_aligner(args.checkpoint).colour_mapper if args.checkpoint else None
    estimators, missing = benchmark.build_estimators(args.flow)
    print('\n'.join(missing), file=sys.stderr, end='\n' if missing else '')
    aligners = benchmark.build_aligners(estimators, mapper)
    rows = benchmark.run_benchmark(aligners, args.sweeps, args.scenes, args.coord, args.patch_size)
    tables, out = benchmark.report(rows), Path(args.out)
    if args.middlebury:
        tables += '\n\n' + middlebury_table(middlebury_errors(estimators, args.middlebury))
    write_atomically(out / 'tables.txt', tables + '\n')
    write_atomically(out / 'pairs.csv', benchmark.to_csv(rows))
    pairs = [*simulated_pairs(held_out(patch_size=args.patch_size), 1, args.coord), stereo_pair()]
    for pair in pairs:
        results = {n: benchmark.align(a, pair) for n, a in aligners.items() if 'consistent' not in n}
        figure = alignment_figure(pair.source[0], pair.target[0], pair.flow[0], pair.valid[0], results)
        write_image(out / f'{pair.name}.png', figure)
    print(f'{tables}\n\nTables, pairs and figures: {out}')


if __name__ == '__main__':
    run_cli(main)
