"""Examines the data sets of a config before training: what is wrong, and what to do about it.

    python tools/verify_dataset.py configs/gcm_liteisp_zrr.py
    python tools/verify_dataset.py configs/gcm_liteisp_own.py --split train --cfg-options data_root=data/own

Counts, sizes, files that cannot be read or are there twice, the CFA pattern by the data against the declared one, black
and white level, and how far raw and photo are apart. A picture a split goes to --out.

Exit status: 0 if training may begin, 1 if not, 2 if the config is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.config import Config, DictAction

from rawtoolbox.engine.cli import run_cli
from rawtoolbox.engine.config import load_config
from rawtoolbox.preparation.doctor import Declared, Examination, Finding, examine, judge, write_picture
from rawtoolbox.preparation.doctor.findings import shared_pairs
from rawtoolbox.registry import DATASETS

SIGNS = {'ok': 'ok      ', 'warning': 'WARNING ', 'error': 'ERROR   '}


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config whose data sets are examined')
    parser.add_argument('--split', choices=['train', 'val', 'test'], help='only the data set of this loader')
    parser.add_argument('--items', type=int, default=500, help='pairs that are read (default: %(default)s)')
    parser.add_argument(
        '--flows', type=int, default=100, help='pairs whose displacement is measured (default: %(default)s)'
    )
    parser.add_argument(
        '--out', default='work_dirs/verify_dataset', help='folder for the pictures (default: %(default)s)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override config values',
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Examines each split once; returns the exit status."""
    args = parse_args(arguments)
    if args.items < 1 or args.flows < 0:
        raise ValueError(
            f'--items and --flows: expected positive numbers, found {args.items} and {args.flows}.'
        )
    config = load_config(args.config, args.cfg_options)
    levels = {
        name: value
        for name, value in dict(config.model.data_preprocessor).items()
        if name in Declared.__annotations__
    }
    declared, findings, examined = Declared(**levels), [], {}
    for split, dataset in datasets(config, args.split).items():
        found = verify(split, dataset, declared, args)
        findings += found[1]
        examined |= {split: found[0]} if found[0] else {}
    if 'train' in examined:
        for split in examined.keys() - {'train'}:
            findings += report(filter(None, [shared_pairs(examined['train'], examined[split])]))
    errors, warnings = (sum(one.severity == kind for one in findings) for kind in ('error', 'warning'))
    print(
        f'Verdict: {"not fit for training" if errors else "fit for training"} ({errors} errors, {warnings} warnings)'
    )
    return int(errors > 0)


def datasets(config: Config, split: str | None) -> dict[str, dict]:
    """Configs of the data sets by split; those that are the same as one before are left out."""
    chosen = {}
    for name in [split] if split else ['train', 'val', 'test']:
        dataset = (config.get(f'{name}_dataloader') or {}).get('dataset')
        if dataset is not None and dataset not in chosen.values():
            chosen[name] = dataset
    if not chosen:
        raise ValueError(f'{config.filename}: it has no data set{f" for {split}" if split else ""}.')
    return chosen


def verify(
    split: str, dataset: dict, declared: Declared, args: argparse.Namespace
) -> tuple[Examination | None, list[Finding]]:
    """Examines a data set and prints what was found; nothing was if it cannot even be built."""
    print(f'{split}: {dataset.get("data_root", "")}')
    try:
        built = DATASETS.build(dataset)
    except (ValueError, OSError) as error:
        return None, report([Finding('error', str(error))])
    found = examine(built, declared, args.items, args.flows)
    findings = report(judge(found, declared))
    picture = Path(args.out) / f'{split}.png'
    write_picture(picture, found, declared, f'{split}: {dataset.get("data_root", "")}')
    print(f'  picture {picture}')
    return found, findings


def report(findings) -> list[Finding]:
    """Prints findings and returns them."""
    findings = list(findings)
    for finding in findings:
        print(f'  {SIGNS[finding.severity]}{finding.text}')
    return findings


if __name__ == '__main__':
    run_cli(main)
