"""How the tools end when the user's input is wrong: one line, no traceback."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def run_cli(main: Callable[[], int | None]) -> None:
    """Runs a tool and exits: 0 when it ended well, 2 with one line on bad input, 130 on Ctrl-C.

    Set ``RAWTOOLBOX_TRACEBACK=1`` to see where an error came from.

    Args:
        main: The tool; an integer that it returns is the exit status.
    """
    try:
        status = main()
    except KeyboardInterrupt:
        print('Stopped.', file=sys.stderr)
        status = 130
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        if os.environ.get('RAWTOOLBOX_TRACEBACK'):
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'error: {message}', file=sys.stderr)
        status = 2
    sys.exit(status or 0)


def import_modules(names: Iterable[str]) -> None:
    """Imports a user's own modules, from the working folder too."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    for name in names:
        importlib.import_module(name)


class ImportAction(argparse.Action):
    """Imports a module as soon as it is named, so that what it registers is known by its name."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        try:
            import_modules([values])
        except ImportError as error:
            parser.error(f'--import {values}: {error}. Name a module that is installed or in this folder.')
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])


def add_import(parser: argparse.ArgumentParser) -> None:
    """Gives a tool that takes a checkpoint the option ``--import``: a file itself has nothing imported."""
    parser.add_argument(
        '--import',
        dest='imports',
        action=ImportAction,
        metavar='MODULE',
        help='module that registers your own parts, for a checkpoint that uses them; may be repeated',
    )
