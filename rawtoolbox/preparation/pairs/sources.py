"""A user's photographs: finding which belong together, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from rawtoolbox.files.names import natural_key
from rawtoolbox.raw.suffixes import NOT_RAW_SUFFIXES


class Sources(NamedTuple):
    """The files of one pair and the name that its patches are called by."""

    name: str
    raw: Path
    photo: Path


def find_pairs(
    raw_dir: str | Path, photo_dir: str | Path, by: Literal['name', 'order'] = 'name'
) -> tuple[list[Sources], list[Path]]:
    """Finds which raw belongs to which photo.

    Args:
        raw_dir: Folder of raw files.
        photo_dir: Folder of photos.
        by: ``'name'``: files of the same name but for the suffix and the case; ``'order'``: the first with the first,
            and so on, numbers in names sorted by value.

    Returns:
        The pairs, and files that have no partner.

    Raises:
        FileNotFoundError: A folder is missing or empty.
        ValueError: No two files belong together, or two of one folder have the same name.
    """
    if by not in ('name', 'order'):
        raise ValueError(f"by: expected 'name' or 'order', found {by!r}.")
    raws, photos = _list(Path(raw_dir), NOT_RAW_SUFFIXES), _list(Path(photo_dir), frozenset())
    if by == 'order':
        if len(raws) != len(photos):
            raise ValueError(
                f'{raw_dir} and {photo_dir}: expected as many raws as photos to pair them by order, '
                f'found {len(raws)} and {len(photos)}. Give partners the same name and pair them by name.'
            )
        _by_name(raws)  # patches are called by the raw's name
        return [Sources(raw.stem, raw, photo) for raw, photo in zip(raws, photos, strict=True)], []
    by_name = [_by_name(files) for files in (raws, photos)]
    shared = [name for name in by_name[0] if name in by_name[1]]
    if not shared:
        raise ValueError(
            f'{raw_dir} and {photo_dir}: expected files of the same name, found none: {raws[0].name}, ... and '
            f'{photos[0].name}, ... Rename them, or pair them by order.'
        )
    alone = [file for files in by_name for name, file in files.items() if name not in shared]
    return [Sources(by_name[0][name].stem, by_name[0][name], by_name[1][name]) for name in shared], alone


def _list(folder: Path, excluded: frozenset[str]) -> list[Path]:
    """The files of a folder but those hidden or of excluded kinds, sorted with numbers by value."""
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: expected a folder of photographs, found none.')
    files = [
        file
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith('.') and file.suffix.lower() not in excluded
    ]
    if not files:
        raise FileNotFoundError(f'{folder}: expected photographs, found no such file in it.')
    return sorted(files, key=lambda file: natural_key(file.name))


def _by_name(files: list[Path]) -> dict[str, Path]:
    """Files by their names, without suffix and in lower case."""
    named = {}
    for file in files:
        other = named.setdefault(file.stem.lower(), file)
        if other is not file:
            raise ValueError(
                f'{file}: expected one file a name, found {other.name} too. Move one of them away.'
            )
    return named
