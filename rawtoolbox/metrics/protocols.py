"""The three protocols of the paper: scores against the target as it is, and lined up in two ways."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor, nn

from rawtoolbox.metrics import report
from rawtoolbox.metrics.flow import endpoint_error, summarise_error
from rawtoolbox.metrics.lpips import load_lpips, lpips
from rawtoolbox.metrics.psnr import psnr
from rawtoolbox.metrics.ssim import ssim
from rawtoolbox.ops.resize import shrink
from rawtoolbox.ops.warp import Scaling, backward_warp, resize_flow, valid_mask
from rawtoolbox.registry import FLOW_ESTIMATORS, METRICS, suggest

PROTOCOLS = ('original', 'align_raw', 'align_result')
SCORES = ('psnr', 'ssim', 'lpips')
NO_ALIGNED_TARGET = (
    '"Align GT with raw" is left out: the model gave no aligned target. Name a training run\'s checkpoint, which '
    "holds an aligner, as the model's aligner_checkpoint."
)


@METRICS.register_module()
class AlignmentProtocols(BaseMetric):
    """PSNR, SSIM and LPIPS by the three protocols of Zhang et al., ICCV 2021, section 4.1.

    - ``original``: against the target as it is, however far it is displaced;
    - ``align_raw``: against the target that the aligner lined up with the raw, in the aligner's mask;
    - ``align_result``: against the target warped by the flow from the result to it, in the flow's mask.

    The masked ones are given twice. ``align_raw/psnr`` sets both images to zero outside the mask and counts
    that as perfect, as the official code does (metrics.py): compare it with the paper's. In
    ``align_raw/psnr_excluded`` such pixels do not count.

    Where the data set knows the truth, there are also ``exact/psnr`` and ``exact/psnr_baseline``, of the
    result and of the gamma-encoded demosaicked raw against the exactly aligned target, and the end-point
    error of the aligner's flow (``flow/epe_mean`` and so on), of a given ``flow_raw``, and of no flow at all
    (``flow_none``).

    Each image is a dict with ``name`` and, from 0 to 1, ``pred`` and ``target`` (3, H, W); further, as far as
    they are known, ``aligned_target`` (3, H, W) and ``aligned_mask`` (1, H, W), ``aligner`` (what lined it up:
    name and hash), ``exact_target``, ``baseline``, and in source pixels ``flow``, ``flow_raw``, ``true_flow``
    (2, h, w) and ``flow_valid`` (1, h, w). Images are clamped and rounded to 8 bit before they are measured.

    Args:
        protocols: Which of the three.
        metrics: Which of ``'psnr'``, ``'ssim'``, ``'lpips'``. Without LPIPS's weights that column is empty.
        flow_estimator: Config of what ``align_result`` estimates the flow by; None is OpenCV's DIS, which
            needs no weights (the paper has PWC-Net).
        flow_size: Size at which ``align_result`` estimates the flow, as a part of the image's. The official code for
            SR-RAW has 0.5.
        scaling: See ``rawtoolbox.ops.warp.backward_warp``.
        eps: A warped pixel is valid when at least ``1 - eps`` of it comes from inside.
        out_dir: Where ``metrics.json`` (means) and ``metrics.csv`` (a line per image) are written; None: nowhere.
        collect_device: See mmengine's ``BaseMetric``.
        prefix: Put before every name, for several test sets.
        collect_dir: See mmengine's ``BaseMetric``.

    Raises:
        ValueError: A protocol or a metric is not known, or ``flow_size`` is not in (0, 1].
    """

    def __init__(
        self,
        protocols: Sequence[str] = PROTOCOLS,
        metrics: Sequence[str] = SCORES,
        flow_estimator: dict[str, Any] | nn.Module | None = None,
        flow_size: float = 1.0,
        scaling: Scaling = 'pixel',
        eps: float = 1e-3,
        out_dir: str | Path | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        # mmengine warns of a missing prefix; these names have their protocol's already
        super().__init__(collect_device, prefix or 'none', collect_dir)
        self.prefix = prefix
        _check_known('protocols', protocols, PROTOCOLS)
        _check_known('metrics', metrics, SCORES)
        if not 0 < flow_size <= 1:
            raise ValueError(f"flow_size: expected a part of the image's size in (0, 1], found {flow_size}.")
        self.flow_size = flow_size
        self.protocols, self.metrics = tuple(protocols), tuple(metrics)
        self.flow_estimator = {'type': 'DISFlow'} if flow_estimator is None else flow_estimator
        self.scaling, self.eps = scaling, eps
        self.out_dir = Path(out_dir) if out_dir else None
        self.settings = {
            'protocols': self.protocols,
            'metrics': self.metrics,
            'flow_estimator': str(self.flow_estimator),
            'flow_size': flow_size,
            'scaling': scaling,
            'eps': eps,
        }
        self._estimator: nn.Module | None = None
        self._functions: dict[str, Callable[..., float] | None] | None = None
        self._said: set[str] = set()

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Scores a batch of images; see the class for what each is."""
        for sample in data_samples:
            try:
                self.results.append(self.score(sample))
            except ValueError as error:
                raise ValueError(f'image {sample["name"]}: {error}') from error

    @torch.no_grad()
    def score(self, sample: dict[str, Any]) -> report.Row:
        """All scores of one image, and its name and aligner."""
        row = {'name': sample['name'], 'aligner': sample.get('aligner')}
        pred = sample['pred'].float().clamp(0, 1)
        for protocol, (target, mask) in self.references(sample, pred).items():
            row |= {f'{protocol}/{key}': value for key, value in self.measure(pred, target, mask).items()}
        return row | exact_scores(sample, pred) | flow_scores(sample)

    def references(self, sample: dict[str, Any], pred: Tensor) -> dict[str, tuple[Tensor, Tensor | None]]:
        """By protocol, the target that the prediction is compared with, and its mask."""
        target = sample['target'].to(pred).clamp(0, 1)
        found = {'original': (target, None)}
        if sample.get('aligned_target') is not None:
            found['align_raw'] = (sample['aligned_target'].to(pred).clamp(0, 1), sample['aligned_mask'])
        elif 'align_raw' in self.protocols:
            self._say_once(NO_ALIGNED_TARGET)
        if 'align_result' in self.protocols:
            found['align_result'] = self.align_with_result(pred, target)
        return {protocol: found[protocol] for protocol in self.protocols if protocol in found}

    def align_with_result(self, pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The target lined up with the prediction, (3, H, W), and where it could be, (1, H, W)."""
        if self._estimator is None:
            self._estimator = FLOW_ESTIMATORS.build(self.flow_estimator).eval()
        size = tuple(max(1, round(self.flow_size * side)) for side in pred.shape[-2:])
        images = [shrink(image[None], size) for image in (pred, target)]
        flow = resize_flow(self._estimator.to(pred.device)(*images), pred.shape[-2:])
        warped, coverage = backward_warp(target[None], flow, self.scaling)
        return warped[0].clamp(0, 1), valid_mask(coverage, self.eps)[0]

    def measure(self, pred: Tensor, target: Tensor, mask: Tensor | None) -> dict[str, float | None]:
        """Each metric of one pair and, when there is a mask, also without what it hides."""
        if self._functions is None:
            self._functions = {name: self._load(name, pred.device) for name in self.metrics}
        scores = {}
        for name, function in self._functions.items():
            scores[name] = function(pred, target, mask) if function else None
            if mask is not None:
                scores[f'{name}_excluded'] = function(pred, target, mask, 'excluded') if function else None
        return scores

    def compute_metrics(self, results: list[report.Row]) -> dict[str, float]:
        """The mean of every score over all images; logged as a table, and written to ``out_dir``."""
        mean, counts = report.means(results)
        print_log(f'{len(results)} images\n{report.table(mean, counts)}', logger='current')
        if self.out_dir:
            report.write_json(self.out_dir / 'metrics.json', results, self.settings)
            report.write_csv(self.out_dir / 'metrics.csv', results)
        return mean

    def _load(self, metric: str, device: torch.device) -> Callable[..., float] | None:
        """The function of a metric; None, and a line in the log, for LPIPS without its weights."""
        if metric != 'lpips':
            return {'psnr': psnr, 'ssim': ssim}[metric]
        try:
            return partial(lpips, network=load_lpips(device))
        except FileNotFoundError as error:
            self._say_once(f'LPIPS is left out. {error}')
            return None

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            print_log(message, logger='current', level=logging.WARNING)


def exact_scores(sample: dict[str, Any], pred: Tensor) -> dict[str, float]:
    """PSNR of the result and of the demosaicked raw against the exactly aligned target, where it is known."""
    if sample.get('exact_target') is None:
        return {}
    exact = sample['exact_target'].to(pred).clamp(0, 1)
    scores = {'exact/psnr': psnr(pred, exact)}
    baseline = sample.get('baseline')
    if baseline is not None and baseline.shape == exact.shape:  # it is smaller in super-resolution
        scores['exact/psnr_baseline'] = psnr(baseline.to(pred).clamp(0, 1), exact)
    return scores


def flow_scores(sample: dict[str, Any]) -> dict[str, float]:
    """End-point errors of the flows that are given, and of none, where the true flow is known."""
    truth = sample.get('true_flow')
    if truth is None:
        return {}
    flows = {
        'flow': sample.get('flow'),
        'flow_raw': sample.get('flow_raw'),
        'flow_none': torch.zeros_like(truth),
    }
    scores = {}
    for name, flow in flows.items():
        if flow is not None:
            error = endpoint_error(flow, truth.to(flow.device))
            summary = summarise_error(error, sample.get('flow_valid'))
            scores |= {f'{name}/{key}': value for key, value in summary.items()}
    return scores


def _check_known(argument: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f'{argument}: {name!r} is not known.{suggest(name, list(known))}')
