"""What a C library prints on the standard error stream, caught."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

_LOCK = threading.Lock()
# the two lines that LibRaw's default handler of data errors prints, after the file's name
_REPORTS = ('Unexpected end of file', 'data corrupted at')


@contextlib.contextmanager
def libraw_reports() -> Iterator[Callable[[], list[str]]]:
    """Catches LibRaw's reports of damaged data, which say what no return value does.

    LibRaw decodes on through damaged data and returns success; only a line on stderr tells. File descriptor 2 is
    redirected meanwhile, one block at a time in a process; lines of others are printed at the end.

    Yields:
        A function that returns the reports so far, without the file's name.
    """
    with _LOCK, tempfile.TemporaryFile(buffering=0) as caught:

        def lines() -> list[str]:
            caught.seek(0)  # reading to the end leaves the position that writing goes on from
            return caught.read().decode(errors='replace').splitlines()

        try:
            with _redirected(caught.fileno()):
                yield lambda: [f'{mark}{rest}' for line in lines() for mark, rest in _split(line)]
        finally:
            for line in lines():
                if not _split(line):
                    print(line, file=sys.stderr)


def _split(line: str) -> list[tuple[str, str]]:
    """A report's own words and what follows them; empty for a line that is none."""
    return [(mark, line.partition(mark)[2]) for mark in _REPORTS if mark in line]


@contextlib.contextmanager
def _redirected(target: int) -> Iterator[None]:
    try:
        saved = os.dup(2)
    except OSError:  # a process without a standard error stream
        yield
        return
    sys.stderr.flush()
    os.dup2(target, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
