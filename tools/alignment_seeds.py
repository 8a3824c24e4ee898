"""Trains the rows of Table 3 with several seeds, one run after another, and prints means with standard errors.

    nohup python tools/alignment_seeds.py work_dirs/table3 --seeds 5 > table3.log &
    python tools/alignment_seeds.py work_dirs/table3 --report

What is done stays done: started again, it goes on where it was cut off. --cfg-options serve training and test of every
row, for instance another flow estimator or severe colours; give such a set a folder of its own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rawtoolbox.benchmarks.alignment.seeds import (
    ALL_ROWS,
    SCORE,
    SeedRuns,
    pending,
    read_scores,
    run_one,
    seed_table,
)
from rawtoolbox.engine.cli import run_cli
from rawtoolbox.files.atomic import check_writable


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, help='folder of runs and results')
    parser.add_argument('--rows', nargs='+', choices=ALL_ROWS, default=ALL_ROWS, help='in this order')
    parser.add_argument('--seeds', type=int, default=5, help='how many (default: 5)')
    parser.add_argument('--score', default=SCORE, help=f'of tools/test.py (default: {SCORE})')
    parser.add_argument(
        '--report', action='store_true', help='print the table of what is done, and run nothing'
    )
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='for every run')
    args = parser.parse_args()
    runs = SeedRuns(ROOT, args.out, args.rows, range(args.seeds), args.cfg_options)
    if not args.report:
        check_writable(args.out)
        for row, seed in pending(runs):
            run_one(runs, row, seed)
    print(seed_table(read_scores(runs, args.score)))


if __name__ == '__main__':
    run_cli(main)
