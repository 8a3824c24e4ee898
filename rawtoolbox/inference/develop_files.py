"""Many raw files into a folder of pictures: resumable, and not stopped by a bad one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from rawtoolbox.files.images import write_image
from rawtoolbox.inference.developer import Developer
from rawtoolbox.inference.inferencer import Developed, Inferencer
from rawtoolbox.raw.develop import plain_rendering, turn_upright
from rawtoolbox.raw.photo import SUFFIXES, quantise, write_photo
from rawtoolbox.raw.suffixes import CAMERA_SUFFIXES, MOSAIC_SUFFIXES
from rawtoolbox.visualization.strip import caption


@dataclass
class Report:
    """What became of the files."""

    done: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f'{len(self.done)} developed']
        parts += [f'{len(self.skipped)} there already'] if self.skipped else []
        parts += [f'{len(self.failed)} failed'] if self.failed else []
        total = sum(self.seconds.values())
        shares = (
            ', '.join(f'{name} {value / total:.0%}' for name, value in self.seconds.items()) if total else ''
        )
        return ', '.join(parts) + (f'; {total:.1f} s: {shares}' if shares else '')


def find_files(inputs: Iterable[str | Path], with_mosaics: bool = False) -> list[Path]:
    """Files from names, folders and patterns; those of a folder by their suffix, sorted.

    Args:
        inputs: Files, folders, and patterns such as ``'photos/*.dng'``.
        with_mosaics: Whether a folder's PNG, TIFF and headless files count, which need a geometry.

    Raises:
        FileNotFoundError: One of them matches nothing.
    """
    suffixes = CAMERA_SUFFIXES | MOSAIC_SUFFIXES if with_mosaics else CAMERA_SUFFIXES
    found: list[Path] = []
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            files = sorted(
                file for file in path.iterdir() if file.suffix.lower() in suffixes and file.is_file()
            )
            if not files:
                raise FileNotFoundError(
                    f'{path}: no raw file in this folder (looked for {", ".join(sorted(suffixes))}).'
                )
        elif not path.exists() and any(sign in str(name) for sign in '*?['):
            root = Path(path.anchor) if path.is_absolute() else Path()
            files = sorted(file for file in root.glob(str(path.relative_to(path.anchor))) if file.is_file())
            if not files:
                raise FileNotFoundError(f'{name}: nothing matches this pattern.')
        else:
            files = [
                path
            ]  # whether it exists is found out when its turn comes: the others are to be developed
        found += files
    return list(dict.fromkeys(found))


def output_paths(files: list[Path], out: str | Path, suffix: str = '.png') -> dict[Path, Path]:
    """Where each file's picture goes: to ``out`` itself if that names a picture, else into that folder.

    Raises:
        ValueError: Several files, but one picture to write.
    """
    out = Path(out)
    if out.suffix.lower() in SUFFIXES and not out.is_dir():
        if len(files) > 1:
            raise ValueError(f'{out}: one picture to write, but {len(files)} files: name a folder.')
        return dict.fromkeys(files, out)
    stems = [file.stem for file in files]
    # a.dng and a.nef must not end in one picture, nor x/a.dng and y/a.dng
    names = [file.stem if stems.count(file.stem) == 1 else file.name for file in files]
    names = [
        name if names.count(name) == 1 else f'{file.parent.name}_{name}'
        for file, name in zip(files, names, strict=True)
    ]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f'{out}: several files would be written to {twice}{suffix}: develop them into two folders.'
        )
    return {file: out / (name + suffix) for file, name in zip(files, names, strict=True)}


def develop_files(
    inferencer: Inferencer | Developer,
    targets: dict[Path, Path],
    *,
    compare: bool = False,
    overwrite: bool = False,
    write: dict[str, Any] | None = None,
    **geometry: Any,
) -> Report:
    """Develops files one by one; those whose picture is there already are skipped, a bad one is reported.

    Args:
        inferencer: What develops.
        targets: Pictures to write, by raw file.
        compare: Whether to write ``<picture>_compare.jpg`` too: beside the rendering of LibRaw.
        overwrite: Whether to develop again what is there already.
        write: Arguments of `write_photo`.
        **geometry: See :meth:`Inferencer.__call__`.
    """
    report = Report()
    bar = tqdm(targets.items(), 'developing', unit='image', disable=None if inferencer.progress else True)
    for source, target in bar:
        compared = target.with_name(f'{target.stem}_compare.jpg')
        if not overwrite and target.exists() and (compared.exists() or not compare):
            report.skipped.append(target)
            continue
        try:
            developed = inferencer(source, **geometry)
            start = time.perf_counter()
            if compare:
                write_image(compared, side_by_side(developed))
            write_photo(target, developed.image, developed.frame, **(write or {}))
        except (ValueError, OSError, MemoryError, torch.OutOfMemoryError) as error:
            report.failed[source] = message = str(error) or 'not enough memory: choose a smaller tile.'
            # as an error already names the file, in most cases
            _say(message if str(source) in message else f'{source}: {message}')
            continue
        developed.seconds['writing'] = time.perf_counter() - start
        report.done.append(target)
        for name in ('reading', 'network', 'writing'):
            report.seconds[name] = report.seconds.get(name, 0) + developed.seconds[name]
        for line in developed.notices:
            _say(f'{source}: {line}')
        if developed.difference is not None:
            _say(f'{source}: largest difference to no tiles: {255 * developed.difference:.3f}/255')
    return report


def side_by_side(developed: Developed, largest: int = 1600) -> np.ndarray:
    """The network's picture and LibRaw's, upright, each at most ``largest`` pixels a side; (H, W, 3) uint8 RGB."""
    rendering, name = plain_rendering(developed.frame)
    pictures = {'network': developed.image, name: rendering}
    columns = []
    for text, image in pictures.items():
        pixels = quantise(turn_upright(image, developed.frame.orientation))
        factor = min(1, largest / max(pixels.shape[:2]))
        if factor < 1:
            pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        columns.append(caption(pixels, text))
    return np.concatenate(columns, axis=1)


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
