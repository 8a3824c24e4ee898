"""Turns a file of official weights into one of this toolbox: safetensors, with the network's config inside.

    python tools/convert_weights/convert.py liteispnet LiteISPNet_model_80.pth liteispnet_zrr.safetensors

Nothing in the file is run, and a file of another network is refused. Where each file is published:

"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rawtoolbox.engine.cli import run_cli
from rawtoolbox.files.atomic import sha256
from rawtoolbox.weights.official import OFFICIAL, convert_file
from rawtoolbox.weights.official_names import OFFICIAL_BACKBONES, OFFICIAL_DISCRIMINATORS


def main() -> None:
    networks = OFFICIAL | OFFICIAL_BACKBONES | OFFICIAL_DISCRIMINATORS
    origins = '\n'.join(f'{name:18}{official.origin}' for name, official in networks.items())
    parser = argparse.ArgumentParser(
        description=__doc__ + origins, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('network', choices=networks, metavar='network', help='one of those above')
    parser.add_argument('source', help='official file')
    parser.add_argument('out', help='.safetensors to write')
    args = parser.parse_args()
    config = convert_file(networks[args.network], args.source, args.out)
    print(f'{args.out}  {config}  sha256 {sha256(args.out)}')


if __name__ == '__main__':
    run_cli(main)
