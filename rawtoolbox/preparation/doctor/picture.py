"""An examination as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rawtoolbox.files.atomic import atomic_path
from rawtoolbox.preparation.agreement import MIN_DETAIL, Agreement
from rawtoolbox.preparation.doctor.examine import WORST_SHOWN, Declared, Examination

BINS = 128


def write_picture(path: str | Path, found: Examination, declared: Declared, title: str) -> None:
    """Draws the values, the displacements and the pairs that are furthest apart.

    Args:
        path: A file that Matplotlib can write, such as ``.png``.
        found: What was found.
        declared: What the config says.
        title: Written above.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    grid = figure.add_gridspec(3, WORST_SHOWN, height_ratios=(1.3, 1, 1))
    _draw_values(figure.add_subplot(grid[0, : WORST_SHOWN // 2]), found, declared)
    _draw_displacements(figure.add_subplot(grid[0, WORST_SHOWN // 2 :]), found)
    for column, (name, raw, photo) in enumerate(found.worst):
        for row, (kind, image) in enumerate((('raw', raw), ('photo', photo)), start=1):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(image)
            axes.axvline(image.shape[1] / 2, color='red', linewidth=0.7)
            axes.axhline(image.shape[0] / 2, color='red', linewidth=0.7)
            axes.set_axis_off()
            axes.set_title(f'{kind} {name}: {caption(found.agreements[name])}', fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)


def caption(agreement: Agreement) -> str:
    """How far raw and photo are apart, if that can be told."""
    return f'{agreement.displacement:.1f} px' if agreement.detail >= MIN_DETAIL else 'no detail that agrees'


def _draw_values(axes, found: Examination, declared: Declared) -> None:
    used = np.flatnonzero(found.histogram)
    top = int(max(used[-1] if used.size else 0, declared.white_level)) + 1
    counts, edges = np.histogram(used, bins=min(BINS, top), range=(0, top), weights=found.histogram[used])
    axes.stairs(np.maximum(counts, 0.5), edges, fill=True, alpha=0.6, baseline=0.5)
    axes.set_yscale('log')
    for level in {*declared.black.ravel().tolist(), declared.white_level}:
        axes.axvline(level, color='black', linestyle='--', linewidth=1)
    axes.set(title='sensor values (dashed: declared black and white)', xlabel='value', ylabel='pixels')


def _draw_displacements(axes, found: Examination) -> None:
    lengths = found.displacements
    axes.set(title='misalignment', xlabel='mean displacement of a pair, pixels', ylabel='pairs')
    if lengths:
        axes.hist(lengths, bins=30, range=(0, max(10.0, max(lengths))), alpha=0.6)
        axes.axvline(float(np.median(lengths)), color='black', linestyle='--', linewidth=1)
