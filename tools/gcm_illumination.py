"""Shows how the light of GCM outputs differs from the target's over a whole frame (the paper's Figure C, Table 4).

    python tools/gcm_illumination.py spn=RUN1/epoch_30.pth "spn + y=RUN2/epoch_30.pth" ours=RUN3/epoch_30.pth

For held-out simulated frames, whose exactly aligned target is known: the picture has each output above its ratio to
the target (white: equal, red: brighter, blue: darker, saturated at a factor of two), the table each output's PSNR and
how much darker its corners are than its centre, relative to the target. The raw and the colours fitted in closed
form are always among them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rawtoolbox.benchmarks.alignment.figure import illumination_figure
from rawtoolbox.benchmarks.alignment.illumination import colour_outputs, illumination_table
from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.files.images import write_image
from rawtoolbox.simulation.known_pairs import held_out, simulated_pairs
from rawtoolbox.weights.carried import load_colour_mapper


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoints', nargs='*', metavar='[NAME=]CHECKPOINT', help='.pth of training runs')
    parser.add_argument('--out', default='work_dirs/gcm_illumination.png', help='picture to write')
    parser.add_argument(
        '--scenes', type=int, default=3, help='of each photograph, for the table (default: 3)'
    )
    parser.add_argument(
        '--coord', choices=['frame', 'patch'], default='frame', help='what the GCMs were trained with'
    )
    add_import(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    named = [text.rpartition('=')[::2] for text in args.checkpoints]
    mappers = {name or Path(path).stem: load_colour_mapper(path) for name, path in named}
    pairs = list(simulated_pairs(held_out(), args.scenes, args.coord, whole=True))
    print(illumination_table(mappers, pairs))
    write_image(
        args.out, illumination_figure(pairs[0].source, colour_outputs(mappers, pairs[0]), pairs[0].aligned)
    )
    print(f'Picture: {args.out}')


if __name__ == '__main__':
    run_cli(main)
