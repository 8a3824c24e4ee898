"""Items of a data set in one memory-mapped file: decoded once, read as fast as memory can be copied.

The file holds a head of one page, the items' arrays one after the other, and an index: names, places, shapes, and the
sizes of the files that the items came from. The head has the hash of both parts. A file appears when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import torch
from tqdm import tqdm

from rawtoolbox.files.atomic import atomic_path

Item = dict[str, dict[str, Any]]

SUFFIX = '.pack'
MAGIC = b'rawtoolbox pack\n'
FORMAT = 1  # to be raised when files are laid out otherwise
PAGE = 4096
HASHED = 1 << 24  # bytes at a time
WRITE = 'Write it by tools/prepare_data/pack.py'
AGAIN = 'Delete it, and write it again by tools/prepare_data/pack.py'


class Packable(Protocol):
    """A data set that can be packed: its items are tensors in two groups, and plain numbers under ``meta``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Item: ...

    def pack_settings(self) -> dict[str, Any]:
        """Plain values about the items' origin, kept for whoever opens the file."""

    def source_sizes(self, index: int) -> list[int]:
        """Sizes in bytes of the files that an item is read from."""


class PackedItems:
    """What :func:`write_pack` wrote.

    The file is mapped, not read: memory is the system's page cache, which all processes share. A pickled object, as
    workers that are not forked get it, holds the path alone.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is something else, cut off or damaged in its head or index, or of another format. The items
            themselves are checked by :meth:`verify` only.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.head = _read_head(self.path)
        index = _read_index(self.path, self.head)
        self.settings, self.types = index['settings'], index['types']
        self.entries = index['entries']
        self.names = [entry['meta']['name'] for entry in self.entries]
        self.numbers = {name: number for number, name in enumerate(self.names)}

    def __getstate__(self) -> dict[str, Path]:
        return {'path': self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(state['path'])

    def __len__(self) -> int:
        return len(self.entries)

    def keys(self) -> set[str]:
        """Names of the arrays of an item, such as ``'data_samples.target'``."""
        return set(self.types)

    def item(self, name: str, leave_out: set[str] = frozenset()) -> Item:
        """The item of that name, as the data set gave it.

        Args:
            name: One of ``names``.
            leave_out: Arrays that are not wanted, out of :meth:`keys`.
        """
        entry = self.entries[self.numbers[name]]
        item: Item = {'inputs': {}, 'data_samples': {'meta': _to_tensors(entry['meta'])}}
        start = entry['start']
        for key, shape in entry['shapes'].items():
            dtype = np.dtype(self.types[key])
            stop = start + dtype.itemsize * int(np.prod(shape))
            if key not in leave_out:
                group, _, part = key.partition('.')
                array = self._bytes[start:stop].view(dtype).reshape(shape)
                item[group][part] = torch.from_numpy(array.copy())  # the file's pages cannot be written to
            start = stop
        return item

    def verify(self, progress: bool = True) -> None:
        """Reads all items and compares their hash with that of when they were written.

        Raises:
            ValueError: It is another.
        """
        digest = hashlib.sha256()
        stop = self.head['index_start']
        with tqdm(
            total=stop - PAGE, desc='verifying', unit='B', unit_scale=True, disable=_hidden(progress)
        ) as bar:
            for start in range(PAGE, stop, HASHED):
                part = self._bytes[start : min(start + HASHED, stop)]
                digest.update(part)
                bar.update(len(part))
        if digest.hexdigest() != self.head['items_sha256']:
            raise ValueError(f'{self.path}: the items are not those that were written (SHA-256). {AGAIN}.')

    @cached_property
    def _bytes(self) -> np.ndarray:
        """The file as bytes, mapped when first needed."""
        with self.path.open('rb') as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def write_pack(
    path: str | Path, dataset: Packable, workers: int | None = None, progress: bool = True
) -> Path:
    """Decodes a data set once and writes its items to one file.

    The file has a temporary name until it is whole: a run that was stopped leaves nothing, and is started again.

    Args:
        path: File to write; its folder is made.
        dataset: What to pack.
        workers: Threads that decode (OpenCV releases the interpreter's lock); None for one a core.
        progress: Whether a bar is shown, if the output is a terminal.

    Returns:
        The path.

    Raises:
        OSError: Writing failed, or there is not enough room.
        ValueError: The data set is empty, or its items hold different arrays.
    """
    path = Path(path)
    if not len(dataset):
        raise ValueError(f'{path}: expected a data set to pack, found an empty one.')
    with atomic_path(path) as temporary, temporary.open('wb') as file:
        _check_room(path, dataset)
        file.write(bytes(PAGE))
        types = {key: _dtype(array) for key, array in _arrays(dataset[0]).items()}
        entries, digest = [], hashlib.sha256()
        bar = tqdm(total=len(dataset), desc=f'packing {path.name}', unit='item', disable=_hidden(progress))
        with bar:
            for number, item in enumerate(_decoded(dataset, workers or os.cpu_count() or 1)):
                entries.append(
                    _write_item(file, item, types, digest) | {'files': dataset.source_sizes(number)}
                )
                bar.update()
        index = {'settings': dataset.pack_settings(), 'types': types, 'entries': entries}
        _write_index(file, index, digest.hexdigest())
    return path


def _decoded(dataset: Packable, workers: int) -> Iterator[Item]:
    """Items in order, read by threads, and never many at once."""
    chunk = 8 * workers
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(dataset), chunk):
            yield from pool.map(dataset.__getitem__, range(start, min(start + chunk, len(dataset))))


def _write_item(file: BinaryIO, item: Item, types: dict[str, str], digest: Any) -> dict[str, Any]:
    """Writes an item's arrays; returns its entry of the index."""
    arrays, meta = _arrays(item), item['data_samples']['meta']
    entry = {
        'meta': {
            key: value.tolist() if isinstance(value, torch.Tensor) else value for key, value in meta.items()
        },
        'start': file.tell(),
        'shapes': {key: list(array.shape) for key, array in arrays.items()},
    }
    if {key: _dtype(array) for key, array in arrays.items()} != types:
        raise ValueError(f'{meta["name"]}: expected the arrays {types} as in the first item, found others.')
    for array in arrays.values():
        digest.update(array)
        file.write(array)
    return entry


def _write_index(file: BinaryIO, index: dict[str, Any], items_sha256: str) -> None:
    """Writes the index behind the items, and at last the head."""
    text = json.dumps(index).encode()
    start = file.tell()
    file.write(text)
    head = {
        'format': FORMAT,
        'index_start': start,
        'size': start + len(text),
        'index_sha256': hashlib.sha256(text).hexdigest(),
        'items_sha256': items_sha256,
    }
    file.seek(0)
    file.write((MAGIC + json.dumps(head).encode()).ljust(PAGE))
    file.flush()
    os.fsync(file.fileno())


def _read_head(path: Path) -> dict[str, Any]:
    """The head, if the file has the size that it says."""
    if not path.is_file():
        raise FileNotFoundError(f'{path}: expected a packed data set, found no such file. {WRITE}.')
    with path.open('rb') as file:
        page = file.read(PAGE)
    if not page.startswith(MAGIC):
        raise ValueError(f'{path}: expected a packed data set, found something else. {AGAIN}.')
    try:
        head = json.loads(page[len(MAGIC) :])
    except ValueError as error:  # no JSON, or not even text
        raise ValueError(f'{path}: the head is damaged ({error}). {AGAIN}.') from error
    if head['format'] != FORMAT:
        raise ValueError(f'{path}: expected the format {FORMAT}, found {head["format"]}. {AGAIN}.')
    if path.stat().st_size != head['size']:
        raise ValueError(
            f'{path}: expected {head["size"]} bytes, found {path.stat().st_size}: it is cut off, or was added to. '
            f'{AGAIN}.'
        )
    return head


def _read_index(path: Path, head: dict[str, Any]) -> dict[str, Any]:
    with path.open('rb') as file:
        file.seek(head['index_start'])
        text = file.read()
    if hashlib.sha256(text).hexdigest() != head['index_sha256']:
        raise ValueError(f'{path}: the index is damaged. {AGAIN}.')
    return json.loads(text)


def _check_room(path: Path, dataset: Packable) -> None:
    """Refuses to begin what cannot be finished."""
    needed = len(dataset) * sum(array.nbytes for array in _arrays(dataset[0]).values())
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(28, f'{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free')


def _arrays(item: Item) -> dict[str, np.ndarray]:
    """An item's tensors as arrays, in the order of the file."""
    return {
        f'{group}.{key}': np.ascontiguousarray(value.numpy())
        for group in ('inputs', 'data_samples')
        for key, value in item[group].items()
        if isinstance(value, torch.Tensor)
    }


def _to_tensors(meta: dict[str, Any]) -> dict[str, Any]:
    """Lists of numbers as the int64 tensors that they were."""
    return {key: torch.tensor(value) if isinstance(value, list) else value for key, value in meta.items()}


def _dtype(array: np.ndarray) -> str:
    return array.dtype.newbyteorder('<').str


def _hidden(progress: bool) -> bool | None:
    return None if progress else True
