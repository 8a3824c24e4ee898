"""Measures aligners and flow estimators on pairs whose displacement is known, and says by how many pixels they miss.

    python tools/benchmark_alignment.py --checkpoint work_dirs/gcm_liteisp_demo/epoch_30.pth --out work_dirs/alignment

Every aligner is run on held-out simulated pairs, at the default simulation and along sweeps of colour inconsistency,
displacement and noise, and on scikit-image's real stereo pair. OUT gets tables.txt, pairs.csv (a line a pair) and
figures. With --pairs FOLDER it is real pairs without a known displacement instead, in the layout of ZRR:

    python tools/benchmark_alignment.py --pairs data/zrr/test --flow dis hybrid --out work_dirs/real_pairs

OUT then gets tables.txt, pairs.csv, and index.html with every pair to look at. Without a checkpoint the rows of the GCM
are left out; flow estimators whose weights are nowhere are named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from torch import nn

from rawtoolbox.benchmarks.alignment import aligners as benchmark
from rawtoolbox.benchmarks.alignment.figure import alignment_figure
from rawtoolbox.benchmarks.alignment.middlebury import middlebury_errors, middlebury_table
from rawtoolbox.benchmarks.alignment.page import rows_to_csv, summary, summary_table, write_page
from rawtoolbox.benchmarks.alignment.real_pairs import (
    RealPairSettings,
    align,
    measure_pairs,
    read_pairs,
    wrong_scenes,
)
from rawtoolbox.benchmarks.alignment.real_scores import separation
from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.files.atomic import check_writable, write_atomically
from rawtoolbox.files.images import write_image
from rawtoolbox.simulation.known_pairs import held_out, simulated_pairs, stereo_pair
from rawtoolbox.weights.carried import load_colour_mapper

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
    real = parser.add_argument_group('real pairs')
    real.add_argument('--pairs', help='folder with a folder of mosaics and one of photos')
    real.add_argument('--folders', nargs=2, default=['huawei_raw', 'canon'], help='names of the two')
    real.add_argument('--levels', nargs=2, type=float, default=[63, 1020], help='black and white level')
    real.add_argument('--bits', type=int, default=10, help='of a sensor value (default: 10)')
    real.add_argument('--limit', type=int, help='how many pairs at most')
    add_import(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.scenes < 1:
        raise ValueError(f'--scenes: expected at least 1, found {args.scenes}.')
    check_writable(args.out)
    mapper = load_colour_mapper(args.checkpoint) if args.checkpoint else None
    estimators, missing = benchmark.build_estimators(args.flow)
    print('\n'.join(missing), file=sys.stderr, end='\n' if missing else '')
    aligners = benchmark.build_aligners(estimators, mapper)
    if args.pairs:
        measure_real_pairs(args, aligners)
        return
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


def measure_real_pairs(args: argparse.Namespace, aligners: dict[str, nn.Module]) -> None:
    """Tables, a line a pair, and the page of real pairs; the last estimator's fit is shown."""
    settings = RealPairSettings(args.pairs, *args.folders, *args.levels, args.bits, args.limit)
    aligners = {k: v for k, v in aligners.items() if not k.startswith('true') and 'consistent' not in k}
    pairs, out, judge = read_pairs(settings), Path(args.out), list(aligners)[-1]
    rows = measure_pairs(aligners, pairs, settings)
    control = separation(wrong_scenes(aligners[judge], pairs), settings.unlike)
    lines = [f'{key:28}{value:.3f}' for key, value in control.items()]
    tables = '\n'.join([summary_table(summary(rows)), '', f'Wrong scenes, {judge}', *lines])
    write_atomically(out / 'tables.txt', tables + '\n')
    write_atomically(out / 'pairs.csv', rows_to_csv(rows))
    write_page(out, rows, [(pair, align(aligners[judge], pair)) for pair in pairs], judge, control)
    print(f'{tables}\n\nTables, pairs and page: {out}')


if __name__ == '__main__':
    run_cli(main)
