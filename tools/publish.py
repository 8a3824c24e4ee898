"""Publishes the backbone of a training checkpoint alone: safetensors, with its config inside.

python tools/publish.py configs/gcm_liteisp_zrr.py work_dirs/gcm_liteisp_zrr/epoch_100.pth liteisp_zrr.safetensors

With --camera the file also says which camera the network knows, by a raw file of that camera; tools/infer.py --adapt
maps the colours of other cameras to it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rawtoolbox.apis.trained import SIMULATED, find_camera
from rawtoolbox.engine.checkpoint import publish
from rawtoolbox.engine.cli import run_cli
from rawtoolbox.engine.config import load_config, plain_config


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config that the checkpoint was trained with')
    parser.add_argument('checkpoint', help='.pth of a training run')
    parser.add_argument('out', help='.safetensors to write')
    parser.add_argument(
        '--camera', help=f"raw file of the training camera, under its usual light, or '{SIMULATED}'"
    )
    args = parser.parse_args()
    if Path(args.out).suffix != '.safetensors':
        raise ValueError(f'{args.out}: a published file ends in .safetensors.')
    config = load_config(args.config)
    preprocessor = plain_config(config.model.get('data_preprocessor') or {})
    extra = {'preprocessor': preprocessor}
    if args.camera:
        extra['camera'] = find_camera(args.camera).to_plain()
    digest = publish(args.checkpoint, args.out, plain_config(config.model.backbone), extra)
    print(f'{args.out}  sha256 {digest}')


if __name__ == '__main__':
    run_cli(main)
