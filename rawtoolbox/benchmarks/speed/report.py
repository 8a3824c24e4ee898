"""The result of a benchmark: one table with where and when it was measured; as text, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PAGE = """# Benchmarks

Written by `python tools/benchmark.py report FILES -o docs/benchmarks.md` from what its other subcommands measured; do
not edit it by hand. Ratios are those of the medians over rounds in which all forms ran in turn. They and the shares of
the machine's own ceiling are what carries over to other machines; milliseconds do not.
"""

Cell = str | float | int | None  # None: not measured


@dataclass(frozen=True)
class Report:
    """A table of numbers.

    Attributes:
        command: The subcommand that measured it.
        title: What was measured.
        columns: Headings; units are part of them.
        rows: As many cells each as there are columns, the first one a name; text is printed as it is.
        machine: See :func:`~rawtoolbox.benchmarks.speed.machine.machine`.
        notes: Sentences to be read with the table.
        details: Further numbers by name, for programs; not printed.
    """

    command: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    machine: dict[str, Any]
    notes: Sequence[str] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f'{self.title}: {len(self.columns)} columns, but a row of {len(row)}: {row}.'
                )

    def to_json(self) -> str:
        """The report as text that :func:`read_report` reads."""
        return json.dumps(asdict(self), indent=2) + '\n'


def read_report(path: str | Path) -> Report:
    """Reads what ``tools/benchmark.py COMMAND --json`` wrote.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is something else.
    """
    try:
        return Report(**json.loads(Path(path).read_text(encoding='utf-8')))
    except (TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is no result of tools/benchmark.py: {error}.') from error


def as_text(report: Report) -> str:
    """The report for a terminal: aligned columns."""
    table = [list(report.columns), *([format_cell(cell) for cell in row] for row in report.rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(report.columns))]
    lines = [
        '  '.join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    return '\n'.join(
        [report.title, where(report), '', *lines, *(['', *report.notes] if report.notes else [])]
    )


def as_markdown(report: Report, level: int = 2) -> str:
    """The report as a section with a table.

    Args:
        report: What is to be shown.
        level: Of its heading.
    """
    rules = [':--', *['--:'] * (len(report.columns) - 1)]
    table = [report.columns, rules, *([format_cell(cell) for cell in row] for row in report.rows)]
    lines = ['| ' + ' | '.join(row) + ' |' for row in table]
    notes = [line for note in report.notes for line in ('', note)]
    return '\n'.join([f'{"#" * level} {report.title}', '', where(report), '', *lines, *notes]) + '\n'


def as_page(reports: Sequence[Report]) -> str:
    """A Markdown page of several reports."""
    return '\n'.join([PAGE, *map(as_markdown, reports)])


def where(report: Report) -> str:
    """Machine, versions and date on a line."""
    known = report.machine
    versions = ', '.join(f'{name} {version}' for name, version in known.get('versions', {}).items())
    return (
        f'`{report.command}` on {known["device"]}, {known["threads"]} threads; {versions}; {known["date"]}.'
    )


def format_cell(value: Cell) -> str:
    """A cell as people read it: three significant digits, but never fewer than the whole part has."""
    if value is None:
        return '-'
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f'{value:.0f}'
    return f'{value:.3g}' if abs(value) < 1 else f'{value:#.3g}'.rstrip('.')
