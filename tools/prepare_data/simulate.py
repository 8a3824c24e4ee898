"""Makes a stand-in for Zurich RAW to RGB: pairs of two simulated cameras, with the truth about their displacement.

ROOT/train and ROOT/test get huawei_raw (16-bit PNG, RGGB, 10 bits), canon (JPEG), aligned (the photo at the raw's
pixels), flow (KITTI PNG) and manifest.json. The photographs come inside the wheels of scikit-image, scikit-learn
and matplotlib; nothing is downloaded. The same arguments give the same bytes, and a folder that is whole is kept.

    python tools/prepare_data/simulate.py data/simulated --train 120 --test 24 --patch-size 256
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rawtoolbox.simulation.zrr import SimulationConfig, simulate_dataset

DEFAULT = SimulationConfig()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', metavar='ROOT', help='folder to make')
    for name, kind, default, text in (
        ('train', int, 120, 'patches for training'),
        ('test', int, 24, 'patches for testing, from other photographs'),
        ('patch-size', int, DEFAULT.patch_size, 'side of a patch in pixels, even'),
        (
            'max-displacement',
            float,
            DEFAULT.max_displacement,
            'largest displacement in pixels, 0 to about 20',
        ),
        ('noise', float, DEFAULT.noise, 'variance of the shot noise at white, 0 for none, up to about 0.012'),
        ('colour-strength', float, DEFAULT.colour_strength, 'how far the colours differ, 0 (mildly) to 1'),
        ('seed', int, DEFAULT.seed, 'of everything drawn'),
    ):
        parser.add_argument(
            f'--{name}', type=kind, default=default, metavar='N', help=f'{text} (default: {default})'
        )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Makes the data set; returns the exit status."""
    options = vars(parse_arguments(arguments))
    root, num_train, num_test = (options.pop(name) for name in ('root', 'train', 'test'))
    try:
        folder = simulate_dataset(root, SimulationConfig(**options), num_train, num_test)
    except (FileNotFoundError, ValueError) as error:
        print(f'simulate.py: {error}', file=sys.stderr)
        return 1
    print(f'{folder}: {num_train} training and {num_test} test pairs')
    return 0


if __name__ == '__main__':
    sys.exit(main())
