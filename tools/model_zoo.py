"""The models of this project: listed in the terminal, shown one by one, or written to model_zoo.md.

python tools/model_zoo.py list --data ZRR --sort gmacs
python tools/model_zoo.py show gcm_liteisp_zrr
python tools/model_zoo.py write            # model_zoo.md, from configs/metafile.yml
python tools/model_zoo.py write --check    # says whether it is stale, for CI: exit status 1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rawtoolbox.engine.cli import run_cli
from rawtoolbox.files.atomic import write_atomically
from rawtoolbox.zoo.models import (
    METAFILE,
    differences,
    find_model,
    list_models,
    read_metafile,
    sort_models,
)
from rawtoolbox.zoo.tables import model_zoo_markdown, terminal_page, terminal_table

COLUMNS = ('name', 'data', 'params', 'gmacs', 'ms', 'psnr')


def main() -> int:
    args = parse_arguments()
    return {'list': show_list, 'show': show_one, 'write': write}[args.command](args)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--metafile', type=Path, default=METAFILE, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest='command', required=True)
    listing = commands.add_parser('list', help='a table of models')
    listing.add_argument('pattern', nargs='?', default='*', help='which names, such as "gcm_*"')
    listing.add_argument('--data', help='only those trained on it, such as ZRR')
    listing.add_argument('--network', help='only those of a network, such as AWNet')
    listing.add_argument('--sort', choices=COLUMNS, help="default: the metafile's order")
    commands.add_parser('show', help='all that is known of a model').add_argument('name', help='its name')
    writing = commands.add_parser('write', help='write model_zoo.md')
    writing.add_argument(
        '--out', type=Path, default=METAFILE.parents[1] / 'model_zoo.md', help='file to write'
    )
    writing.add_argument('--check', action='store_true', help='write nothing; status 1 if the file is stale')
    return parser.parse_args()


def show_list(args: argparse.Namespace) -> int:
    models = read_metafile(args.metafile)
    chosen = [models[name] for name in list_models(args.pattern, args.data, args.network, args.metafile)]
    if not chosen:
        raise ValueError(f'No model fits; {len(models)} are known, see "list" without a filter.')
    print(terminal_table(sort_models(chosen, args.sort) if args.sort else chosen))
    return 0


def show_one(args: argparse.Namespace) -> int:
    print(terminal_page(find_model(args.name, args.metafile)))
    return 0


def write(args: argparse.Namespace) -> int:
    wrong = differences(args.metafile)
    if wrong:
        raise ValueError(f'{args.metafile} and the configs differ: {" ".join(wrong)}')
    text = model_zoo_markdown(list(read_metafile(args.metafile).values()))
    current = args.out.read_text(encoding='utf-8') if args.out.is_file() else None
    if text == current:
        print(f'{args.out} is up to date.')
        return 0
    if args.check:
        print(f'{args.out} is stale: run "python tools/model_zoo.py write" and commit it.', file=sys.stderr)
        return 1
    write_atomically(args.out, text)
    print(f'Wrote {args.out}.')
    return 0


if __name__ == '__main__':
    run_cli(main)
