"""A page to look through real pairs: raw, photo, warped photo and flow, and a wiper between raw and warped photo."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from torch import Tensor

from rawtoolbox.aligners import Aligned
from rawtoolbox.benchmarks.alignment.real_pairs import RealPair, Row, flow_of
from rawtoolbox.files.atomic import write_atomically
from rawtoolbox.files.images import write_image
from rawtoolbox.ops.colour import gamma_encode, match_exposure
from rawtoolbox.visualization import flow_to_color

FLOW_SCALE = 4.0  # pixels that are shown in full colour

COLUMNS = {
    'agreement': ('agreement, dB', '.2f'),
    'gain': ('gain, dB', '+.2f'),
    'least_gain': ('least gain, dB', '+.2f'),
    'gap': ('there and back, px', '.3f'),
    'shift_median': ('known shift, median, px', '.3f'),
    'shift_mean': ('mean, px', '.3f'),
    'likeness': ('likeness', '.3f'),
    'displacement': ('displacement, px', '.2f'),
    'masked': ('masked', '.1%'),
    'seconds': ('seconds', '.3f'),
}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Alignment of real pairs</title>
<style>
body { font: 14px sans-serif; margin: 2em }
table { border-collapse: collapse } td, th { padding: .2em .7em; text-align: right }
td:first-child, th:first-child { text-align: left }
.pair { display: flex; flex-wrap: wrap; gap: 1em } figure { margin: 0 }
.wiper { position: relative }
.wiper img:last-of-type { position: absolute; left: 0; top: 0; clip-path: inset(0 0 0 50%) }
img { display: block; width: 360px } input { width: 360px }
</style>
<h1>Alignment of real pairs</h1>
<table><tr><th>aligner</th>{% for title, form in columns.values() %}<th>{{ title }}</th>{% endfor %}</tr>
{% for name, scores in means.items() %}<tr><td>{{ name }}</td>
{% for key, (title, form) in columns.items() %}<td>{{ format(scores[key], form) }}</td>{% endfor %}</tr>{% endfor %}
</table>
<p>Wrong scenes, {{ judge }}: {% for key, value in control.items() %}{{ key }} {{ '%.3f' % value }}; {% endfor %}</p>
{% for pair in pairs %}<h2>{{ pair }}</h2><div class="pair">
{% for view in ('raw', 'photo', 'warped', 'flow') %}
<figure><img src="{{ pair }}/{{ view }}.png" alt="{{ view }}"><figcaption>{{ view }}</figcaption></figure>{% endfor %}
<figure><div class="wiper"><img src="{{ pair }}/raw.png" alt="raw"><img src="{{ pair }}/warped.png" alt="warped"></div>
<input type="range" value="50" aria-label="wiper"
 oninput="this.previousElementSibling.lastElementChild.style.clipPath = `inset(0 0 0 ${this.value}%)`">
<figcaption>raw | warped</figcaption></figure></div>{% endfor %}
</html>
"""


def summary(rows: Sequence[Row], start: str = 'none') -> dict[str, dict[str, float]]:
    """The mean of each score by aligner, and the gain in agreement over an aligner, in the mean and at least."""
    base = {row['pair']: row['agreement'] for row in rows if row['aligner'] == start}
    means = {}
    for name in dict.fromkeys(row['aligner'] for row in rows):
        own = [row for row in rows if row['aligner'] == name]
        gains = [row['agreement'] - base.get(row['pair'], float('nan')) for row in own]
        scores = {key: fmean(row[key] for row in own) for key in own[0] if key not in ('pair', 'aligner')}
        means[name] = {**scores, 'gain': fmean(gains), 'least_gain': min(gains)}
    return means


def summary_table(means: Mapping[str, Mapping[str, float]]) -> str:
    """The summary as text."""
    head = f'{"aligner":28}' + ''.join(f'{title:>26}' for title, _ in COLUMNS.values())
    lines = [
        f'{name:28}' + ''.join(f'{scores[key]:>26{form}}' for key, (_, form) in COLUMNS.items())
        for name, scores in means.items()
    ]
    return '\n'.join([head, *lines])


def rows_to_csv(rows: Sequence[Row]) -> str:
    """One line a pair and aligner."""
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_page(
    out: Path,
    rows: Sequence[Row],
    shown: Sequence[tuple[RealPair, Aligned]],
    judge: str,
    control: Mapping[str, float],
) -> None:
    """Writes ``index.html`` and a folder of pictures for each pair.

    Args:
        out: Folder.
        rows: Of all aligners.
        shown: Pairs, and how one aligner lined them up.
        judge: Name of the aligner that the control of wrong scenes was made with.
        control: Its outcome.
    """
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string(PAGE)
    for pair, aligned in shown:
        folder = out / pair.name
        raw = match_exposure(gamma_encode(pair.source), pair.target)
        for name, image in (('raw', raw), ('photo', pair.target), ('warped', aligned.target)):
            write_image(folder / f'{name}.png', picture(image))
        write_image(folder / 'flow.png', flow_to_color(flow_of(aligned)[0].numpy(), FLOW_SCALE))
    page = template.render(
        columns=COLUMNS,
        means=summary(rows),
        judge=judge,
        control=control,
        pairs=[pair.name for pair, _ in shown],
        format=format,
    )
    write_atomically(out / 'index.html', page)


def picture(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
