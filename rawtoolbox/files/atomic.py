"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

UMASK = os.umask(0)
os.umask(UMASK)  # there is no other way to read it
FILE_MODE = 0o666 & ~UMASK


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name beside ``path`` and renames it when the block ends well.

    When it does not (an error, a full disk, Ctrl-C) the temporary file is removed and whatever stood at
    ``path`` before is untouched.

    Args:
        path: Where the finished file is to stand; its folder is made.

    Yields:
        The temporary path to write to; it keeps the suffix, which many writers go by.

    Raises:
        OSError: Writing failed; the message names the file and the remedy.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.partial{path.suffix}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.chmod(FILE_MODE)  # some writers make files that nobody else can read
        temporary.replace(path)
    except OSError as error:
        raise type(error)(
            error.errno,
            f'{path} could not be written ({error.strerror or error}). Nothing half-written was left; make room or '
            'name another folder',
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Gives a temporary folder beside ``path`` and renames it when the block ends well.

    When it does not, the temporary folder is removed. One that is still empty at the end does not appear either.

    Args:
        path: Where the finished folder is to stand; nothing but an empty folder may be there.

    Yields:
        The temporary folder to write to.

    Raises:
        OSError: Another folder stands at ``path`` by then.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
    try:
        yield unfinished
        if any(unfinished.iterdir()):
            unfinished.chmod(0o777 & ~UMASK)  # mkdtemp's folders are private
            unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Writes a whole file under a temporary name, then renames it.

    Args:
        path: Where the file is to stand.
        content: Bytes, or text to be encoded as UTF-8.

    Raises:
        OSError: Writing failed; nothing half-written is left.
    """
    if isinstance(content, str):
        content = content.encode()
    with atomic_path(path) as temporary, temporary.open('wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """mmengine's local files, except that checkpoints are renamed into place once they are whole."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_atomically(filepath, bytes(obj))


def check_writable(folder: str | Path) -> None:
    """Makes a folder and checks that files can be written to it, before hours are spent.

    Raises:
        OSError: They cannot; the message names the folder and the remedy.
    """
    folder = Path(folder)
    probe = folder / f'.probe.{os.getpid()}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b'')
        probe.unlink()
    except OSError as error:
        raise type(error)(
            error.errno,
            f'The work folder {folder} cannot be written to ({error.strerror}). Name another by --work-dir',
        ) from error


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with Path(path).open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
