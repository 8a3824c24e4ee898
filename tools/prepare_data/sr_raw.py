"""Makes the layout that SRRAWDataset reads out of the original SR-RAW: raws and JPEGs at seven focal lengths.

    python tools/prepare_data/sr_raw.py sr_raw_original/ data/srraw

ROOT holds the archives' folders train and test, or scenes (00001/00001.ARW, 00001/00001.JPG and so on). For each scene
the pairs 50/240, 35/150 and 24/100 mm are cut to the same field of view and lined up, and the camera's white balance
is noted. Scenes that are there already are kept. What could not be prepared is said at the end.

Exit status: 0, or 1 when some pairs could not be prepared.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rawtoolbox.engine.cli import run_cli
from rawtoolbox.preparation.sr_raw.prepare import prepare_sr_raw


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', metavar='ROOT', help='folder of the original data set')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument(
        '--val', type=int, default=50, metavar='N', help='scenes for validation (default: 50)'
    )
    parser.add_argument(
        '--test', type=int, default=50, metavar='N', help='scenes for testing, where ROOT has no test (50)'
    )
    parser.add_argument(
        '--black-level', type=float, default=512, metavar='N', help='sensor value of black (512)'
    )
    parser.add_argument(
        '--white-level', type=float, default=16383, metavar='N', help='sensor value of white (16383)'
    )
    parser.add_argument(
        '--field',
        choices=['longest', 'target'],
        default='longest',
        help='field of view that is kept: of the longest focal length, as published (default), or of each target',
    )
    args = parser.parse_args()
    levels = args.black_level, args.white_level
    failures = prepare_sr_raw(args.root, args.out, (args.val, args.test), *levels, args.field)
    for name, reason in failures.items():
        print(f'left out: {name}: {reason}', file=sys.stderr)
    print(f'{args.out}: {len(failures)} pairs left out.' if failures else f'{args.out}: all pairs prepared.')
    return 1 if failures else 0


if __name__ == '__main__':
    run_cli(main)
