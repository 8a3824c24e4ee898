"""Scores a checkpoint under the three protocols of the paper.

    python tools/test.py configs/gcm_liteisp_zrr.py work_dirs/gcm_liteisp_zrr/epoch_100.pth --show-dir strips

The checkpoint is one of a training run, or a backbone published by tools/publish.py. *Align GT with raw* uses the
checkpoint's own aligner, or that of --aligner-checkpoint; its name and hash are part of the results.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.config import DictAction
from mmengine.dist import is_main_process

from rawtoolbox.deployment.backends import BACKENDS
from rawtoolbox.engine import launch
from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.engine.config import load_config
from rawtoolbox.files.atomic import write_atomically


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', help='.pth of a training run, or .safetensors of tools/publish.py')
    parser.add_argument('--work-dir', help='folder for logs and results (default: work_dirs/<config>)')
    parser.add_argument('--out', help='metrics: a JSON file; pred: a folder of PNG images')
    parser.add_argument('--out-item', choices=['metrics', 'pred'], default='metrics', help='what --out holds')
    parser.add_argument(
        '--show-dir', help='folder for strips: raw, GCM, prediction, aligned and original target, error'
    )
    parser.add_argument('--interval', type=int, default=1, help='a strip for every n-th image (default: 1)')
    parser.add_argument(
        '--aligner-checkpoint', help='training checkpoint whose aligner serves "Align GT with raw"'
    )
    parser.add_argument('--tta', action='store_true', help='predict by the x8 self-ensemble')
    parser.add_argument(
        '--backend',
        choices=BACKENDS,
        help='how the network is run (default: auto, the fastest installed one that keeps the image, tried on the '
        'first; with --amp plain, which is the network as it was trained)',
    )
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16, on GPUs and CPUs')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override config values',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch'], default='none', help='pytorch: under torchrun'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    add_import(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    launch.set_work_dir(config, args.work_dir)
    launch.set_test(config, args.checkpoint, args.aligner_checkpoint)
    if args.tta:
        config.model.tta = True
    if args.amp:
        launch.set_autocast(config)
    launch.set_backend(config, args.backend or ('plain' if args.amp else 'auto'))
    if args.show_dir:
        config.default_hooks.visualization.update(enable=True, interval=args.interval, out_dir=args.show_dir)
    if args.out and args.out_item == 'pred':
        launch.add_prediction_writer(config, args.out)
    with launch.distributed(config, args.launcher):
        metrics = launch.build_runner(config).test()
        main_process = is_main_process()
    if not main_process:
        return
    if args.out and args.out_item == 'metrics':
        write_atomically(args.out, json.dumps(metrics, indent=2) + '\n')
    print(f'Results: {args.out or Path(config.work_dir) / "test"}')
    if args.show_dir:
        print(f'Pictures: {args.show_dir}')


if __name__ == '__main__':
    run_cli(main)
