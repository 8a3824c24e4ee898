"""What ``tools/benchmark.py`` measures, one subcommand a file.

A subcommand is a module of this package with

* ``HELP``: one line;
* ``add_arguments(parser)``: its own arguments (``--repeats``, ``--threads``, ``--device`` and ``--json`` are there);
* ``measure(args) -> Report``: the numbers, as a table.

It joins by its name in ``COMMANDS``, and is imported only when the tool is run.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

COMMANDS = {
    'inference': 'inference',
    'fullres': 'fullres',
    'flow': 'flow',
    'train-step': 'train_step',
    'loader': 'loader',
}  # the tool's subcommand: the module that measures it


def load_command(name: str) -> ModuleType:
    """The module behind a subcommand.

    Raises:
        KeyError: There is no such subcommand.
    """
    return import_module(f'{__name__}.{COMMANDS[name]}')
