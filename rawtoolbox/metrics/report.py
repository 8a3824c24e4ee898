"""Scores of many images: their means, a table to read, and files to keep."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rawtoolbox import __version__
from rawtoolbox.files.atomic import write_atomically

Row = dict[str, Any]  # 'name', and numbers by names such as 'original/psnr'; None for what could not be had

PROTOCOL_TITLES = {
    'original': 'Original GT',
    'align_raw': 'Align GT with raw',
    'align_result': 'Align GT with result',
}
METRIC_TITLES = {'psnr': ('PSNR', '.2f'), 'ssim': ('SSIM', '.4f'), 'lpips': ('LPIPS', '.3f')}
FLOW_TITLES = {'flow': 'the aligner', 'flow_raw': 'DIS on the raw', 'flow_none': 'no alignment'}


def score_names(rows: Sequence[Row]) -> list[str]:
    """Names of all scores, in the order in which they first occur."""
    return list(dict.fromkeys(key for row in rows for key in row if '/' in key))


def means(rows: Sequence[Row]) -> tuple[dict[str, float], dict[str, int]]:
    """The mean of each score over the images that have it, and how many they are."""
    known = {
        name: [row[name] for row in rows if row.get(name) is not None and not math.isnan(row[name])]
        for name in score_names(rows)
    }
    counts = {name: len(values) for name, values in known.items()}
    return {name: sum(values) / len(values) for name, values in known.items() if values}, counts


def table(mean: dict[str, float], counts: dict[str, int]) -> str:
    """The means as a text table: a row per protocol and, where the truth is known, what was measured by it."""
    blocks = [_protocol_lines(mean, counts), _exact_lines(mean), _flow_lines(mean)]
    return '\n'.join(line for block in blocks for line in block)


def write_json(path: Path, rows: Sequence[Row], settings: dict[str, Any]) -> None:
    """Writes means, counts, settings, aligners and the versions of what computed them."""
    mean, counts = means(rows)
    content = {
        'images': len(rows),
        'means': {name: _json_number(mean.get(name)) for name in counts},
        'counts': counts,
        'aligners': sorted({str(row['aligner']) for row in rows if row.get('aligner')}),
        'settings': settings,
        'versions': versions(),
    }
    write_atomically(path, json.dumps(content, indent=2) + '\n')


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Writes one line per image; a score that could not be had is left empty."""
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, ['name', *score_names(rows)], extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue())


def versions() -> dict[str, str]:
    """Versions of the packages that scores depend on."""
    found = {'rawtoolbox': __version__}
    for package in ('torch', 'torchvision', 'numpy', 'scipy', 'scikit-image', 'lpips', 'opencv-python'):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _protocol_lines(mean: dict[str, float], counts: dict[str, int]) -> list[str]:
    names = [name.split('/') for name in counts]
    metrics = [metric for metric in METRIC_TITLES if any(name[1] == metric for name in names)]
    protocols = [protocol for protocol in PROTOCOL_TITLES if any(name[0] == protocol for name in names)]
    if not protocols:
        return []
    lines = [f'{"":22}{"images":>7}' + ''.join(f'{METRIC_TITLES[metric][0]:>18}' for metric in metrics)]
    for protocol in protocols:
        images = max(counts.get(f'{protocol}/{metric}', 0) for metric in metrics)
        cells = [_cell(mean, f'{protocol}/{metric}', METRIC_TITLES[metric][1]) for metric in metrics]
        lines.append(f'{PROTOCOL_TITLES[protocol]:22}{images:>7}' + ''.join(f'{cell:>18}' for cell in cells))
    if any(name.endswith('_excluded') for name in counts):
        lines.append('Masked pixels are zero and count, as in the paper; in brackets: they do not count.')
    return lines


def _cell(mean: dict[str, float], name: str, form: str) -> str:
    plain, excluded = mean.get(name), mean.get(f'{name}_excluded')
    text = '-' if plain is None else format(plain, form)
    return text if excluded is None else f'{text} ({excluded:{form}})'


def _exact_lines(mean: dict[str, float]) -> list[str]:
    titles = {'exact/psnr': 'the result', 'exact/psnr_baseline': 'the demosaicked raw, gamma-encoded'}
    known = [f'{title} {mean[name]:.2f}' for name, title in titles.items() if name in mean]
    return [f'PSNR against the exactly aligned target: {", ".join(known)}'] if known else []


def _flow_lines(mean: dict[str, float]) -> list[str]:
    known = [flow for flow in FLOW_TITLES if f'{flow}/epe_mean' in mean]
    if not known:
        return []
    lines = [f'{"Flow error in pixels":22}{"mean":>8}{"median":>8}{"> 1 px":>8}{"> 3 px":>8}']
    for flow in known:
        average, median, *shares = (
            mean[f'{flow}/epe_{key}'] for key in ('mean', 'median', 'above_1px', 'above_3px')
        )
        text = f'{average:8.3f}{median:8.3f}' + ''.join(f'{share:8.1%}' for share in shares)
        lines.append(f'{FLOW_TITLES[flow]:22}{text}')
    return lines


def _json_number(value: float | None) -> float | str | None:
    """JSON knows neither infinity (the PSNR of equal images) nor NaN."""
    return value if value is None or math.isfinite(value) else str(value)
