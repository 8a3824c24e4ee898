"""Configs and tools: beside the package in a checkout, inside it where a wheel is installed."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
BASES = re.compile(r'^\s*from \._base_\.(\w+) import', re.MULTILINE)
SIBLINGS = re.compile(r'^\s*from \.(\w+) import', re.MULTILINE)


def shared_folder(name: str) -> Path:
    """The folder of configs or tools.

    Args:
        name: ``'configs'`` or ``'tools'``.

    Raises:
        FileNotFoundError: There is none: the package was copied without it.
    """
    for folder in (PACKAGE / 'share' / name, PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f'No folder {name} comes with {PACKAGE}: install the wheel, or use a checkout.')


def find_config(name: str | Path) -> Path:
    """A config file: the file itself, or the one of that name that comes with the package.

    >>> find_config('gcm_liteisp_demo').name
    'gcm_liteisp_demo.py'

    Raises:
        FileNotFoundError: There is neither; the message names the nearest.
    """
    path = Path(name)
    if path.is_file():
        return path
    file = path.name if path.suffix == '.py' else f'{path.name}.py'
    own = shared_folder('configs')
    if path.parent == Path() and (own / file).is_file():
        return own / file
    folder = own if path.parent == Path() else path.parent
    known = sorted(other.name for other in folder.glob('*.py')) if folder.is_dir() else []
    close = difflib.get_close_matches(file, known, n=3, cutoff=0.5)
    hint = f' Did you mean {", ".join(close)}?' if close else ''
    raise FileNotFoundError(f'No config {path}.{hint} Those that come along: rawtoolbox config --list.')


def config_names() -> list[str]:
    """Names of the configs that come with the package."""
    return sorted(path.stem for path in shared_folder('configs').glob('*.py'))


def copy_config(name: str, out: str | Path) -> list[Path]:
    """Copies a config, and what it reads, to be changed.

    Args:
        name: Its name or file.
        out: The file to write; bases go into ``_base_`` beside it.

    Returns:
        The files that were written; bases that are there already are left as they are.

    Raises:
        FileNotFoundError: There is no such config.
        FileExistsError: ``out`` is there already.
    """
    source, out = find_config(name), Path(out)
    if out.exists():
        raise FileExistsError(f'{out} is there already: name another file, or remove it.')
    out.parent.mkdir(parents=True, exist_ok=True)
    copies = {out: source} | {
        out.parent / part: source.parent / part
        for part in _read_by(source)
        if not (out.parent / part).exists()
    }
    for target, original in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, target)
    return list(copies)


def _read_by(config: Path) -> set[Path]:
    """Files that a config reads, those that these read included, relative to its folder."""
    text = config.read_text(encoding='utf-8')
    found = {Path('_base_') / f'{base}.py' for base in BASES.findall(text)}
    for sibling in SIBLINGS.findall(text):
        if (config.parent / f'{sibling}.py').is_file():
            found |= {Path(f'{sibling}.py'), *_read_by(config.parent / f'{sibling}.py')}
    return found
