"""Names of files, and names that come from files as parts of paths."""

from __future__ import annotations

import os
import re
from pathlib import Path


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts numbers in names by value: 2 before 10."""
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in re.split(r'(\d+)', name)]


def inside(folder: str | Path, name: str) -> Path:
    """The path of a file in a folder, its name being another file's word.

    >>> inside('out', '12.png').as_posix()
    'out/12.png'

    Args:
        folder: The folder.
        name: Name of the file, with subfolders or without.

    Raises:
        ValueError: It would lie outside the folder, or is no name of a file.
    """
    flat = os.path.normpath(str(name).replace('\\', '/'))
    if '\0' in flat or flat in ('.', '..') or flat.startswith(('../', '/')) or ':' in flat.split('/')[0]:
        raise ValueError(
            f'The name {str(name)[:80]!r} of an image leads out of {folder}: it is refused. Rename it in the data set.'
        )
    return Path(folder) / flat
