"""How far aligners miss, in pixels: every aligner on pairs whose displacement is known."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from rawtoolbox.aligners import Aligned, FlowAligner, HomographyAligner, IdentityAligner
from rawtoolbox.flow import RAFT, DISFlow, HybridFlow, PWCNet, RefinedFlow
from rawtoolbox.metrics.flow import endpoint_error, summarise_error
from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.simulation.known_pairs import AlignmentPair, Coord, held_out, simulated_pairs, stereo_pair

Row = dict[str, Any]

ESTIMATORS: dict[str, Callable[[], nn.Module]] = {
    'dis': DISFlow,
    'dis-fast': lambda: DISFlow('fast'),
    'dis-luma': lambda: DISFlow(window=None),
    'pwcnet': PWCNet,
    'pwcnet-simulated': lambda: PWCNet('simulated'),
    'pwcnet-refined': lambda: RefinedFlow(PWCNet('simulated')),
    'hybrid': HybridFlow,
    'raft-small': RAFT,
    'raft-large': lambda: RAFT('large'),
}

# What is varied, one thing at a time: by its name, what each setting changes in the default simulation.
DEFAULT = 'default'
SWEEPS: dict[str, dict[str, dict[str, Any]]] = {
    'colour': {
        'mild': {'colour_strength': 0.0},
        'medium': {'colour_strength': 0.5},
        DEFAULT: {},
        'severe': {
            'exposure': (0.3, 0.4),
            'corner_light': (0.25, 0.35),
            'saturation': 1.6,
            'warmth': (1.0, 0.85, 0.65),
        },
    },
    'displacement': {
        **{f'{length} px': {'max_displacement': float(length)} for length in (0, 2, 4)},
        DEFAULT: {},
        **{f'{length} px': {'max_displacement': float(length)} for length in (12, 16, 20)},
    },
    'noise': {
        'none': {'noise': 0.0},
        DEFAULT: {},
        '2e-3': {'noise': 2e-3},
        '6e-3': {'noise': 6e-3},
        '1.2e-2': {'noise': 1.2e-2},
    },
}
STEREO = 'stereo'

TITLES = {
    'epe_mean': ('EPE mean', '.3f'),
    'epe_median': ('median', '.3f'),
    'epe_above_1px': ('> 1 px', '.1%'),
    'epe_above_3px': ('> 3 px', '.1%'),
    'masked': ('masked', '.1%'),
    'epe_kept': ('EPE kept', '.3f'),
    'psnr': ('PSNR', '.2f'),
    'milliseconds': ('ms', '.0f'),
}


def build_estimators(names: Iterable[str]) -> tuple[dict[str, nn.Module], list[str]]:
    """The flow estimators whose weights are to be had.

    Args:
        names: Of ``ESTIMATORS``.

    Returns:
        Estimators by name, and for each that is missing a line that says what it lacks.
    """
    found, missing = {}, []
    for name in names:
        try:
            found[name] = ESTIMATORS[name]().eval()
        except FileNotFoundError as error:
            missing.append(f'{name} is left out: {error}')
    return found, missing


def build_aligners(
    estimators: Mapping[str, nn.Module], colour_mapper: nn.Module | None = None
) -> dict[str, nn.Module]:
    """All ways to line a target up, by the name of their row.

    ``raw``, ``gcm`` and ``fit`` are :class:`FlowAligner` with the references ``'raw'`` and ``'mapped'``, and with
    fitted colours (which start from the raw); ``true colours`` gives the flow estimator the exactly aligned target in
    the source's place, which is the least error it can make.

    Args:
        estimators: Flow estimators by name.
        colour_mapper: A trained GCM; None leaves its rows out.
    """
    aligners = {'none': IdentityAligner(), 'sift': HomographyAligner()}
    for name, flow in estimators.items():
        aligners[f'raw + {name}'] = FlowAligner(flow, reference='raw')
        if colour_mapper is not None:
            aligners[f'gcm + {name}'] = FlowAligner(flow, colour_mapper)
        aligners[f'fit + {name}'] = FlowAligner(flow, reference='raw', colour_fit=1)
        if colour_mapper is not None:
            aligners[f'gcm + {name}, consistent'] = FlowAligner(flow, colour_mapper, consistency=True)
        aligners[f'fit + {name}, consistent'] = FlowAligner(
            flow, reference='raw', colour_fit=1, consistency=True
        )
        aligners[f'true colours + {name}'] = FlowAligner(flow, reference='output')
    return {name: aligner.eval() for name, aligner in aligners.items()}


def run_benchmark(
    aligners: Mapping[str, nn.Module],
    sweeps: Sequence[str] = (*SWEEPS, STEREO),
    scenes: int = 3,
    coord: Coord = 'frame',
    patch_size: int = 256,
    progress: bool = True,
) -> list[Row]:
    """Measures all aligners on held-out simulated pairs and on a real stereo pair.

    Args:
        aligners: As :func:`build_aligners` gives them.
        sweeps: Of ``SWEEPS``, and ``'stereo'``; the default setting is always measured.
        scenes: Of each held-out photograph.
        coord: What coordinates the GCM was trained with, see ``RawPreprocessor``.
        patch_size: Side of the simulated pairs in pixels.
        progress: Whether a bar is shown, if the output is a terminal.

    Returns:
        One row a pair and aligner: ``setting``, ``pair``, ``aligner`` and scores (see :func:`score`).
    """
    settings = {DEFAULT: {}, **{k: v for sweep in sweeps if sweep != STEREO for k, v in named(sweep).items()}}
    rows = []
    with tqdm(
        total=(len(settings) + (STEREO in sweeps)) * len(aligners), disable=None if progress else True
    ) as bar:
        for setting, changes in settings.items():
            pairs = list(simulated_pairs(held_out(patch_size=patch_size, **changes), scenes, coord))
            rows += measure(aligners, pairs, setting, bar)
        if STEREO in sweeps:
            rows += measure(aligners, [stereo_pair()], STEREO, bar)
    return rows


def named(sweep: str) -> dict[str, dict[str, Any]]:
    """The settings of a sweep under names that are theirs alone."""
    return {
        label if label == DEFAULT else f'{sweep} {label}': changes for label, changes in SWEEPS[sweep].items()
    }


def measure(
    aligners: Mapping[str, nn.Module], pairs: Sequence[AlignmentPair], setting: str, bar: tqdm
) -> list[Row]:
    """The rows of one setting; every aligner runs once more than it is timed."""
    rows = []
    for name, aligner in aligners.items():
        align(aligner, pairs[0])
        for pair in pairs:
            start = time.perf_counter()
            aligned = align(aligner, pair)
            milliseconds = 1000 * (time.perf_counter() - start)
            head = {'setting': setting, 'pair': pair.name, 'aligner': name}
            rows.append({**head, **score(aligned, pair), 'milliseconds': milliseconds})
        bar.update()
    return rows


@torch.no_grad()
def align(aligner: nn.Module, pair: AlignmentPair) -> Aligned:
    """Lines up a pair; the backbone's prediction is taken to be perfect."""
    return aligner(pair.source, pair.target, pair.coord, pair.aligned)


def score(aligned: Aligned, pair: AlignmentPair) -> dict[str, float]:
    """What there is to say about one aligned pair.

    Returns:
        ``epe_mean``, ``epe_median``, ``epe_above_1px`` and ``epe_above_3px`` (shares), where the true flow is
        known; ``masked``: the share that the mask leaves out; ``epe_kept``: the mean within the mask;
        ``psnr``: of the warped target against the exactly aligned one, within the mask.
    """
    flow = torch.zeros_like(pair.flow) if aligned.flow is None else aligned.flow
    error, mask = endpoint_error(flow, pair.flow)[0], aligned.mask[0]
    return {
        **summarise_error(error, pair.valid[0]),
        'masked': 1 - mask.mean().item(),
        'epe_kept': summarise_error(error, pair.valid[0] * mask).get('epe_mean', float('nan')),
        'psnr': psnr(aligned.target[0].clamp(0, 1), pair.aligned[0], mask, 'excluded'),
    }


def means(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, float]]:
    """The mean of each score over the pairs of a setting, by setting and aligner."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row['setting'], row['aligner']), []).append(row)
    return {
        key: {name: fmean(row[name] for row in group) for name in TITLES} for key, group in groups.items()
    }


def report(rows: Sequence[Row]) -> str:
    """All tables as text: every score at the default and on the stereo pair, the mean error along each sweep."""
    mean = means(rows)
    settings = list(dict.fromkeys(setting for setting, _ in mean))
    blocks = [score_table(mean, setting) for setting in (DEFAULT, STEREO) if setting in settings]
    for sweep in SWEEPS:
        labels = [label for label in named(sweep) if label in settings]
        if len(labels) > 1:
            blocks.append(sweep_table(mean, sweep, labels))
    return '\n\n'.join(blocks)


def score_table(mean: Mapping[tuple[str, str], Mapping[str, float]], setting: str) -> str:
    """All scores of one setting."""
    head = f'{setting:32}' + ''.join(f'{title:>10}' for title, _ in TITLES.values())
    lines = [
        f'{aligner:32}' + ''.join(f'{scores[name]:>10{form}}' for name, (_, form) in TITLES.items())
        for (where, aligner), scores in mean.items()
        if where == setting
    ]
    return '\n'.join([head, *lines])


def sweep_table(
    mean: Mapping[tuple[str, str], Mapping[str, float]], sweep: str, labels: Sequence[str]
) -> str:
    """Mean and median end-point error along a sweep."""
    head = f'{f"EPE mean (median) by {sweep}":32}' + ''.join(
        f'{label.removeprefix(sweep):>16}' for label in labels
    )
    lines = []
    for aligner in dict.fromkeys(aligner for _, aligner in mean if not aligner.endswith('consistent')):
        found = [mean[label, aligner] for label in labels]
        lines.append(
            f'{aligner:32}' + ''.join(f'{s["epe_mean"]:>8.3f} ({s["epe_median"]:.3f})' for s in found)
        )
    return '\n'.join([head, *lines])


def to_csv(rows: Sequence[Row]) -> str:
    """One line a pair and aligner."""
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, ['setting', 'pair', 'aligner', *TITLES], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
