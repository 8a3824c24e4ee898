"""Table 3 with confidence: every row trained with several seeds, in an order of one's choice, resumable."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from rawtoolbox.files.atomic import write_atomically

ALL_ROWS = ('raw', 'gcm', 'fit', 'exact', 'none', 'sift', 'output')  # in order of what they decide
SCORE = 'exact/psnr'


@dataclass(frozen=True)
class SeedRuns:
    """What is trained.

    Attributes:
        root: Folder that holds ``configs/`` and ``tools/``.
        out: Folder of the runs and of ``ROW-SEED.json``, the scores of those that are done.
        rows: Of ``ALL_ROWS``; a row is the config ``ROW_liteisp_sim``.
        seeds: All rows are trained with the first before any with the second.
        options: ``KEY=VALUE`` for ``--cfg-options`` of training and test.

    Raises:
        ValueError: Another row, or none.
    """

    root: Path
    out: Path
    rows: Sequence[str] = ALL_ROWS
    seeds: Sequence[int] = range(5)
    options: Sequence[str] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.rows) - set(ALL_ROWS))
        if unknown or not self.rows:
            raise ValueError(
                f'rows: expected some of {", ".join(ALL_ROWS)}, found {", ".join(unknown) or "none"}.'
            )

    def config(self, row: str) -> Path:
        name = 'none_liteisp_simexact' if row == 'exact' else f'{row}_liteisp_sim'
        return self.root / 'configs' / f'{name}.py'

    def result(self, row: str, seed: int) -> Path:
        return self.out / f'{row}-{seed}.json'


def pending(runs: SeedRuns) -> Iterator[tuple[str, int]]:
    """Rows and seeds without a result, in order."""
    for seed in runs.seeds:
        for row in runs.rows:
            if not runs.result(row, seed).is_file():
                yield row, seed


def run_one(runs: SeedRuns, row: str, seed: int) -> None:
    """Trains and tests one row; a training that was cut off goes on where its last checkpoint is.

    Raises:
        subprocess.CalledProcessError: The training or the test failed.
    """
    folder, config = runs.out / f'{row}-{seed}', str(runs.config(row))
    options = ['--cfg-options', *runs.options] if runs.options else []
    begun = ['--resume'] if (folder / 'last_checkpoint').is_file() else []
    train = [config, '--seed', str(seed), '--no-validate', '--work-dir', str(folder), *begun, *options]
    subprocess.run([sys.executable, str(runs.root / 'tools/train.py'), *train], check=True)
    metrics = folder / 'metrics.json'
    test = [config, str(folder), '--work-dir', str(folder), '--out', str(metrics), *options]
    subprocess.run([sys.executable, str(runs.root / 'tools/test.py'), *test], check=True)
    write_atomically(runs.result(row, seed), metrics.read_text())


def read_scores(runs: SeedRuns, score: str = SCORE) -> dict[str, dict[int, float]]:
    """A score of all runs that are done, by row and seed."""
    scores: dict[str, dict[int, float]] = {}
    for row in runs.rows:
        for seed in runs.seeds:
            path = runs.result(row, seed)
            if path.is_file():
                scores.setdefault(row, {})[seed] = find_score(json.loads(path.read_text()), score, path)
    return scores


def find_score(record: Mapping[str, float], score: str, path: Path) -> float:
    """A score of a result.

    Raises:
        ValueError: It is not there.
    """
    if score not in record:
        raise ValueError(
            f'{path}: expected the score {score}, found {", ".join(record) or "none"}. Name one of these.'
        )
    return float(record[score])


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error, which one value alone does not have.

    >>> mean_and_error([1.0, 3.0])
    (2.0, 1.0)
    """
    return fmean(values), stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def seed_table(scores: Mapping[str, Mapping[int, float]], base: str = 'raw') -> str:
    """Means with standard errors, and differences from a row paired by seed; ``*`` marks those above two errors."""
    lines = [f'{"row":10}{"seeds":>7}{"mean":>10}{"error":>9}{f"minus {base}":>14}{"error":>9}']
    for row, by_seed in scores.items():
        mean, error = mean_and_error(list(by_seed.values()))
        line = f'{row:10}{len(by_seed):>7}{mean:>10.3f}{error:>9.3f}'
        shared = sorted(by_seed.keys() & scores.get(base, {}).keys()) if row != base else []
        if shared:
            gap, gap_error = mean_and_error([by_seed[seed] - scores[base][seed] for seed in shared])
            line += f'{gap:>+14.3f}{gap_error:>9.3f}{" *" if abs(gap) > 2 * gap_error else ""}'
        lines.append(line)
    return '\n'.join(lines)
