"""Names of files."""

from __future__ import annotations

import re


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts numbers in names by value: 2 before 10."""
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in re.split(r'(\d+)', name)]
