"""A contact sheet of all patches as a web page: what was kept, what was not, and why."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rawtoolbox.files.atomic import write_atomically

THUMBNAIL = 168  # pixels a side
MAP_WIDTH = 220
KINDS = {  # by the first word of what agreement.rejection says
    'detail': 'no detail that agrees (flat, out of focus, or another scene)',
    'displaced': 'displaced too far',
    'correlation': 'correlation too low',
    'other': 'other detail in places (something in front, or something that moved)',
}

STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: #2a9d5c; --bad: #d1495b; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1500px; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .3rem 0; max-width: 60rem; } .muted { opacity: .75; }
.bad { color: var(--bad); } .good { color: var(--good); }
section { border-top: 1px solid var(--line); display: flex; gap: 1.2rem; padding: 1.2rem 0; }
aside { flex: 0 0 230px; font-size: .85rem; }
.sheet { display: flex; flex-wrap: wrap; gap: .8rem; align-content: flex-start; }
figure { margin: 0; width: 168px; font-size: .8rem; line-height: 1.35; }
figure img { border: 3px solid var(--good); display: block; height: 168px; object-fit: cover; object-position: left;
  width: 168px; }
figure:hover img, figure:focus img { object-position: right; }
figure.rejected img { border-color: var(--bad); border-style: dashed; }
figure.rejected img:not(:hover) { opacity: .75; }
figcaption b { display: block; } table { border-collapse: collapse; margin: .6rem 0; }
td { padding: .1rem .9rem .1rem 0; } td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
input { position: absolute; opacity: 0; }
label { border: 1px solid var(--line); border-radius: 1rem; cursor: pointer; display: inline-block;
  margin: .6rem .3rem .6rem 0; padding: .1rem .8rem; }
input:checked + label { background: #8883; font-weight: 600; } input:focus-visible + label { outline: 2px solid; }
#only-kept:checked ~ main .rejected, #only-rejected:checked ~ main .kept { display: none; }
@media (max-width: 640px) { section { flex-direction: column; } }
"""


def write_thumbnail(root: Path, name: str, raw: np.ndarray, photo: np.ndarray) -> None:
    """Writes a patch of the developed raw and of the photo, (H, W, 3) uint8 each, side by side and small."""
    small = [
        cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for image in (raw, photo)
    ]
    encoded = cv2.imencode('.jpg', np.hstack(small)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    write_atomically(root / 'report' / 'patches' / f'{name}.jpg', encoded.tobytes())


def write_report(root: Path, records: list[dict[str, Any]], failures: dict[str, str]) -> None:
    """Writes ``report/index.html``, which needs nothing but the thumbnails beside it.

    Args:
        root: Folder of the data set.
        records: One a pair, as in ``records/``.
        failures: What could not be read, by name.
    """
    sections = [_section(record) for record in records]
    sections += [
        f'<section class="rejected"><aside><h2>{escape(name)}</h2></aside><p class="bad">{escape(reason)}</p></section>'
        for name, reason in failures.items()
    ]
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Pairs of {escape(root.name)}</title><style>{STYLE}</style></head><body>
<h1>Pairs of {escape(root.name)}</h1>
{_summary(records, failures)}
<p class="muted">Each patch shows the raw; point at it (or tab to it) to see the photo in its place: what jumps is
not lined up.</p>
<input type="radio" name="show" id="all" checked><label for="all">all</label>
<input type="radio" name="show" id="only-kept"><label for="only-kept">kept</label>
<input type="radio" name="show" id="only-rejected"><label for="only-rejected">rejected</label>
<main>
{chr(10).join(sections)}
</main></body></html>
"""
    write_atomically(root / 'report' / 'index.html', page)


def count_reasons(records: list[dict[str, Any]]) -> Counter[str]:
    """How many patches were kept, and how many rejected for each kind of reason (its first word)."""
    patches = [patch for record in records for patch in record['patches'].values()]
    return Counter(_kind(patch['rejected']) for patch in patches)


def _kind(reason: str) -> str:
    return KINDS[reason.split()[0]] if reason else 'kept'


def _summary(records: list[dict[str, Any]], failures: dict[str, str]) -> str:
    reasons = count_reasons(records)
    unmatched = sum(bool(record['rejected']) for record in records)
    rows = [('photographs in pairs', len(records) + len(failures)), ('… that cannot be read', len(failures))]
    rows += [
        ('… that do not match', unmatched),
        ('patches', sum(reasons.values())),
        ('… kept', reasons.pop('kept', 0)),
    ]
    rows += [(f'… rejected: {kind}', count) for kind, count in reasons.most_common()]
    return f'<table>{"".join(f"<tr><td>{escape(text)}</td><td>{count}</td></tr>" for text, count in rows)}</table>'


def _section(record: dict[str, Any]) -> str:
    patches = record['patches']
    kept = sum(not patch['rejected'] for patch in patches.values())
    lines = [
        f'{escape(record["files"]["raw"][0])} ↔ {escape(record["files"]["photo"][0])}',
        f'{escape(record["camera"] or "unknown camera")}, {record["frame_size"][1]}x{record["frame_size"][0]}',
        f'for {record["split"]}ing: {kept} of {len(patches)} patches',
    ]
    if 'inliers' in record:
        lines.append(
            f'{record["inliers"]} of {record["matches"]} key points agree within {record["error"]:.1f} pixels'
        )
    text = ''.join(f'<p>{line}</p>' for line in lines)
    text += ''.join(f'<p class="muted">{escape(notice)}</p>' for notice in record['notices'])
    if record['rejected']:
        text += f'<p class="bad">{escape(record["rejected"])}</p>'
    figures = ''.join(_figure(name, patch) for name, patch in patches.items())
    class_name = '' if patches else ' class="rejected"'
    return (
        f'<section{class_name}><aside><h2>{escape(record["name"])}</h2>{text}{_map(record)}</aside>'
        f'<div class="sheet">{figures}</div></section>'
    )


def _figure(name: str, patch: dict[str, Any]) -> str:
    verdict = 'rejected' if patch['rejected'] else 'kept'
    words = escape(patch['rejected']) if patch['rejected'] else 'kept'
    row, column = patch['origin']
    numbers = (
        f'correlation {patch["score"]:.2f}, off by {patch["displacement"]:.1f} px, shifted '
        + ', '.join(f'{value:+.1f}' for value in patch['shift'])
    )
    return (
        f'<figure class="{verdict}" tabindex="0"><img loading="lazy" src="patches/{escape(name)}.jpg" '
        f'alt="raw and photo at row {row}, column {column}"><figcaption>'
        f'<b class="{"bad" if patch["rejected"] else "good"}">{words}</b>row {row}, column {column}<br>'
        f'<span class="muted">{numbers}</span></figcaption></figure>'
    )


def _map(record: dict[str, Any]) -> str:
    """Where the patches lie in the frame, as a drawing."""
    patches = record['patches']
    if not patches:
        return ''
    height, width = record['frame_size']
    side = record['patch_size']
    squares = ''.join(
        f'<rect x="{patch["origin"][1]}" y="{patch["origin"][0]}" width="{side}" height="{side}" '
        f'fill="var(--{"bad" if patch["rejected"] else "good"})" fill-opacity=".45" stroke="currentColor" '
        f'stroke-width="{width / 300:.1f}"/>'
        for patch in patches.values()
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{MAP_WIDTH}" role="img" aria-label="places of the patches">'
        f'<rect width="{width}" height="{height}" fill="none" stroke="currentColor" stroke-width="{width / 150:.1f}"/>'
        f'{squares}</svg>'
    )
