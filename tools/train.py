"""Trains a model from a config.

python tools/train.py configs/gcm_liteisp_demo.py
python tools/train.py configs/gcm_liteisp_zrr.py --cfg-options data_root=/data/zrr train_dataloader.batch_size=8
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.config import DictAction

from rawtoolbox.engine import launch
from rawtoolbox.engine.cli import run_cli
from rawtoolbox.engine.config import load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, such as configs/gcm_liteisp_zrr.py')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from the newest checkpoint in the work folder, or from a file',
    )
    parser.add_argument(
        '--resume-or-start',
        action='store_true',
        help='go on from the newest checkpoint in the work folder, or start where there is none',
    )
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16, on GPUs and CPUs')
    parser.add_argument('--no-validate', action='store_true', help='do not score during training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size'
    )
    parser.add_argument('--seed', type=int, help="seed of everything random (default: the config's)")
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
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    launch.set_work_dir(config, args.work_dir)
    resume = 'auto' if args.resume_or_start and args.resume is None else args.resume
    launch.set_resume(config, resume, args.resume_or_start)
    if args.amp:
        launch.set_autocast(config)
    if args.no_validate:
        launch.without_validation(config)
    if args.auto_scale_lr:
        config.auto_scale_lr = {**config.get('auto_scale_lr', {'base_batch_size': 16}), 'enable': True}
    if args.seed is not None:
        config.randomness = {**config.get('randomness', {}), 'seed': args.seed}
    with launch.distributed(config, args.launcher):
        launch.build_runner(config).train()


if __name__ == '__main__':
    run_cli(main)
