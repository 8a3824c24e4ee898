"""Publishes one network of a training checkpoint alone: safetensors, with its config inside.

    python tools/publish.py configs/gcm_liteisp_zrr.py work_dirs/gcm_liteisp_zrr/epoch_100.pth liteisp_zrr.safetensors
    python tools/publish.py configs/gcm_liteisp_zrr.py work_dirs/gcm_liteisp_zrr/epoch_100.pth gcm.safetensors \
        --part aligner.colour_mapper

By default that is the backbone, or the flow estimator of a run that trained one. Beside the file, one of the same name
that ends in .json keeps the run's whole config, its seed and length, and the weights' SHA-256. With --camera the file
also says which camera the network knows, by a raw file of that camera; tools/infer.py --adapt maps the colours of
other cameras to it.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.engine.config import load_config, plain_config
from rawtoolbox.files.atomic import write_atomically
from rawtoolbox.raw.camera import read_camera
from rawtoolbox.simulation.cameras import phone_camera
from rawtoolbox.weights.checkpoint import provenance, publish

SIMULATED = 'simulated'  # the phone of simulated pairs


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
    parser.add_argument('--part', help='network to write (default: backbone, or else flow_estimator)')
    parser.add_argument('--half', action='store_true', help='write float16: half the size')
    parser.add_argument('--note', help='what the .json is to say besides, such as the device and the data')
    add_import(parser)
    args = parser.parse_args()
    if Path(args.out).suffix != '.safetensors':
        raise ValueError(f'{args.out}: a published file ends in .safetensors.')
    config = load_config(args.config)
    part = args.part or ('backbone' if 'backbone' in config.model else 'flow_estimator')
    network = functools.reduce(lambda node, key: (node or {}).get(key), part.split('.'), config.model)
    if network is None:
        raise ValueError(f'--part {part}: the model of {args.config} has no such network.')
    extra = {}
    if part == 'backbone':
        extra['preprocessor'] = plain_config(config.model.get('data_preprocessor') or {})
    if args.camera:
        camera = phone_camera() if args.camera == SIMULATED else read_camera(args.camera)
        extra['camera'] = camera.to_plain()
    dtype = torch.float16 if args.half else None
    digest = publish(args.checkpoint, args.out, plain_config(network), extra, part, dtype)
    record = {'sha256': digest, 'note': args.note, **provenance(args.checkpoint)}
    write_atomically(Path(args.out).with_suffix('.json'), json.dumps(record, indent=1) + '\n')
    print(f'{args.out}  sha256 {digest}')


if __name__ == '__main__':
    run_cli(main)
