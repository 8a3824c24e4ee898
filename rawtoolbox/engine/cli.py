"""How the tools end when the user's input is wrong: one line, no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


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
