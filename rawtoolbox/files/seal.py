"""Files that carry the hash of their own content, so that damage and other people's changes are noticed.

The writer of a file leaves room for a hash (:func:`blank`) somewhere in it; sealing puts the hash of the whole, taken
with that room empty, into it. A text of the same length takes its place, so that formats with lengths stay valid.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

EMPTY = '0' * 64
# The key by which a tensor of an ONNX file names another file, as protobuf writes it: behind its length.
ELSEWHERE = re.compile(rb'(\x08|\x88\x80*\x00)location')


def blank(kind: str) -> str:
    """Room for a hash, to be written into a file of a kind.

    >>> blank('onnx')[:12]
    'seal-onnx:00'
    """
    return f'seal-{kind}:{EMPTY}'


def seal(path: str | Path, kind: str) -> None:
    """Writes a file's hash into the room that it has for it.

    Raises:
        ValueError: There is no room, or more than one.
    """
    content, room = Path(path).read_bytes(), blank(kind).encode()
    if content.count(room) != 1:
        raise ValueError(f'{path}: expected room for one hash, found {content.count(room)}.')
    Path(path).write_bytes(content.replace(room, _mark(content, kind)))


def check_seal(path: str | Path, kind: str) -> None:
    """Checks that a file is as it was when it was sealed.

    Raises:
        ValueError: It is not, it was never sealed, or some of its tensors are in other files, of which its hash knows
            nothing.
    """
    content = Path(path).read_bytes()
    if ELSEWHERE.search(content):
        raise ValueError(
            f'{path} is refused: its tensors are in other files. Export it anew by tools/export.py.'
        )
    marks = re.findall(rb'seal-%s:[0-9a-f]{64}' % kind.encode(), content)
    if len(marks) != 1:
        raise ValueError(
            f'{path} is damaged or no file of tools/export.py: it carries no hash. Export it anew.'
        )
    if _mark(content.replace(marks[0], blank(kind).encode()), kind) != marks[0]:
        raise ValueError(
            f'{path} is damaged or was changed: it does not have the hash that it carries. Export it anew.'
        )


def _mark(content: bytes, kind: str) -> bytes:
    return f'seal-{kind}:{hashlib.sha256(content).hexdigest()}'.encode()
