"""Turns photographs taken in pairs into a data set laid out as Zurich RAW to RGB.

    python tools/prepare_data/pairs.py phone/ dslr/ data/own
    python tools/prepare_data/pairs.py mosaics/ dslr/ data/own --cfa GRBG --black-level 64 --white-level 1023

RAWS holds the raw files of the camera that is to be learned (anything LibRaw reads, or mosaics as PNG or TIFF), PHOTOS
what they should look like (JPEG, PNG, TIFF or raw), of the same scenes from nearly the same place; partners have the
same name, or the same place in the order of names (--by order). OUT/report/index.html shows what was kept and what
not, and why. Interrupted, it goes on where it was. docs/train_on_your_own_camera.md says what to shoot.

Exit status: 0, or 1 when some files could not be read or no patch was kept.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rawtoolbox.engine.cli import run_cli
from rawtoolbox.preparation.pairs import PairSettings, Result, find_pairs, prepare_pairs

DEFAULT = PairSettings()
GEOMETRY = ('cfa', 'black_level', 'white_level', 'height', 'width')


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('raws', metavar='RAWS', help='folder of raw files')
    parser.add_argument('photos', metavar='PHOTOS', help='folder of photos of the same scenes')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument(
        '--by', choices=['name', 'order'], default='name', help='how partners are found (default: name)'
    )
    parser.add_argument(
        '--jobs', type=int, default=min(os.cpu_count() or 1, 4), help='pairs at a time (default: %(default)s)'
    )
    for name, kind, text in (
        ('patch-size', int, 'side of a patch in pixels, even'),
        ('stride', int, 'from one patch to the next; not given: the patch size'),
        ('search', int, 'pixels around its place by the homography that a patch is looked for'),
        ('min-correlation', float, 'least normalised cross-correlation of a patch that is kept'),
        ('max-displacement', float, 'largest mean displacement that may remain in a patch, in pixels'),
        ('test-share', float, 'share of the photographs that are for testing'),
    ):
        default = getattr(DEFAULT, name.replace('-', '_'))
        note = '' if default is None else ' (default: %(default)s)'
        parser.add_argument(f'--{name}', type=kind, default=default, metavar='N', help=text + note)
    mosaics = parser.add_argument_group('for mosaics that do not say it themselves (PNG, TIFF, headless)')
    mosaics.add_argument('--cfa', help='pattern from pixel (0, 0), such as RGGB')
    mosaics.add_argument(
        '--black-level', type=float, nargs='+', metavar='N', help='one, or those of R, Gr, Gb, B'
    )
    mosaics.add_argument('--white-level', type=float, metavar='N', help='the saturated value')
    mosaics.add_argument('--height', type=int, metavar='N', help='rows of a file without header')
    mosaics.add_argument('--width', type=int, metavar='N', help='its columns')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Makes the data set; returns the exit status."""
    options = vars(parse_args(arguments))
    given = {name: options.pop(name) for name in GEOMETRY}
    geometry = {name: value for name, value in given.items() if value is not None}
    raws, photos, out, by, jobs = (options.pop(name) for name in ('raws', 'photos', 'out', 'by', 'jobs'))
    if isinstance(black := geometry.get('black_level'), list) and len(black) == 1:
        geometry['black_level'] = black[0]
    pairs, alone = find_pairs(raws, photos, by)
    for file in alone:
        print(f'no partner: {file}', file=sys.stderr)
    result = prepare_pairs(pairs, out, PairSettings(**options, geometry=geometry), jobs)
    print_summary(result, Path(out))
    return 1 if result.failures or not result.count() else 0


def print_summary(result: Result, out: Path) -> None:
    """Prints what came of it, and what a config needs to know."""
    for name, reason in result.failures.items():
        print(f'not read: {name}: {reason}', file=sys.stderr)
    for record in result.records:
        if record['rejected']:
            print(f'{record["name"]}: {record["rejected"]}', file=sys.stderr)
    patches = sum(len(record['patches']) for record in result.records)
    print(f'{out}: {result.count()} of {patches} patches kept, {result.count("test")} of them for testing')
    black, white = result.levels
    black = f'{black[0]:g}' if len(set(black)) == 1 else f'({", ".join(f"{level:g}" for level in black)})'
    print(f'For the config: black_level={black}, white_level={white:g}, bit_depth={result.bit_depth}')
    print(f'What was kept, what not and why: {out / "report" / "index.html"}')


if __name__ == '__main__':
    run_cli(main)
