"""The command ``rawtoolbox``: the tools by name, wherever the package is installed."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from rawtoolbox import __version__
from rawtoolbox.files.share import config_names, copy_config, shared_folder

# name: (file in tools/, what it does)
COMMANDS = {
    'train': ('train.py', 'train a model from a config'),
    'test': ('test.py', 'score a checkpoint under the three protocols'),
    'infer': ('infer.py', 'develop raw files by a trained network'),
    'pairs': ('prepare_data/pairs.py', 'make a data set of your own pairs'),
    'sr-pairs': ('prepare_data/sr_raw.py', 'make a data set of zoomed pairs'),
    'pack': ('prepare_data/pack.py', 'write a data set as one file that is read fast'),
    'simulate': ('prepare_data/simulate.py', 'make simulated pairs'),
    'verify': ('verify_dataset.py', 'check a data set'),
    'export': ('export.py', 'write a network as ONNX, or in int8'),
    'publish': ('publish.py', 'write a trained network alone, as safetensors'),
    'convert': ('convert_weights/convert.py', "take over others' official weights"),
    'zoo': ('model_zoo.py', 'browse the models'),
    'benchmark': ('benchmark.py', 'measure how fast it runs here'),
    'benchmark-alignment': ('benchmark_alignment.py', 'measure aligners in pixels'),
}


def main() -> None:
    """Runs ``rawtoolbox COMMAND ...``; each command explains itself by ``--help``."""
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ('--help', [])
    if name in COMMANDS:
        run_tool(name, arguments)
    elif name == 'config':
        sys.exit(config_command(arguments))
    elif name in ('--version', '-V'):
        print(f'rawtoolbox {__version__}')
    elif name in ('--help', '-h', 'help'):
        print(usage())
    else:
        print(f'error: no command {name!r}.\n\n{usage()}', file=sys.stderr)
        sys.exit(2)


def usage() -> str:
    """The page of ``rawtoolbox --help``."""
    rows = [(name, what) for name, (_, what) in COMMANDS.items()]
    rows.append(('config', 'list the configs, or copy one to change it'))
    lines = [f'  {name:<20} {what}' for name, what in rows]
    return '\n'.join(
        ['usage: rawtoolbox COMMAND ...', '', *lines, '', 'rawtoolbox COMMAND --help explains a command.']
    )


def run_tool(name: str, arguments: list[str]) -> None:
    """Runs a tool in this process, as ``python tools/NAME.py`` does."""
    sys.argv = [f'rawtoolbox {name}', *arguments]
    runpy.run_path(str(shared_folder('tools') / COMMANDS[name][0]), run_name='__main__')


def config_command(arguments: list[str]) -> int:
    """``rawtoolbox config``: the names of configs, or a copy of one; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog='rawtoolbox config', description='Lists the configs, or copies one with the bases that it reads.'
    )
    parser.add_argument('name', nargs='?', help='config to copy (default: list all)')
    parser.add_argument('-o', '--out', type=Path, help='file to write (default: NAME.py here)')
    parser.add_argument('--list', action='store_true', help='list the names')
    options = parser.parse_args(arguments)
    if options.name is None or options.list:
        print('\n'.join(config_names()))
        return 0
    try:
        written = copy_config(options.name, options.out or Path(f'{Path(options.name).stem}.py'))
    except OSError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print('\n'.join(f'Wrote {path}' for path in written))
    return 0
