"""Packs the data sets of a config: each split decoded once into one memory-mapped file, from which loading is fastest.

    python tools/prepare_data/pack.py configs/gcm_liteisp_zrr.py data/zrr_packed
    python tools/train.py configs/gcm_liteisp_zrr.py --cfg-options train_dataloader.dataset.packed=data/zrr_packed

FOLDER gets train.pack and test.pack: 47 GB and 1.2 GB for Zurich RAW to RGB. They are mapped, not read into memory. A
file appears when it is whole; one that is there is kept. --verify reads all and compares with the hash that was kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmengine.config import DictAction

from rawtoolbox.datasets.packed import SUFFIX, PackedItems, write_pack
from rawtoolbox.engine.cli import run_cli
from rawtoolbox.engine.config import LOADERS, load_config
from rawtoolbox.registry import DATASETS


def parse_args() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config', help='config whose data sets are packed, such as configs/gcm_liteisp_zrr.py'
    )
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='folder for the packed files')
    parser.add_argument('--split', choices=['train', 'test'], help='only this split of the data set')
    parser.add_argument('--workers', type=int, help='threads that decode (default: one a core)')
    parser.add_argument('--verify', action='store_true', help='read what is there and compare with its hash')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override config values',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    config = load_config(args.config, args.cfg_options)
    done = set()
    for loader in LOADERS:
        split = ((config.get(loader) or {}).get('dataset') or {}).get('split')
        if split is None or split in done or args.split not in (None, split):
            continue
        done.add(split)
        path = args.folder / f'{split}{SUFFIX}'
        files = {**config[loader].dataset, 'packed': None}
        if not path.is_file() and not args.verify:
            write_pack(path, DATASETS.build(files), args.workers)
        DATASETS.build({**files, 'packed': args.folder})  # refuses what does not fit the config or the files
        items = PackedItems(path)
        if args.verify:
            items.verify()
        print(f'{path}: {len(items)} items, {path.stat().st_size / 1e9:.2f} GB')
        print(f'  --cfg-options {loader}.dataset.packed={args.folder}')
    if not done:
        raise ValueError(f'{args.config}: expected a data set with the split {args.split}, found none.')


if __name__ == '__main__':
    run_cli(main)
