"""Timing that two people can repeat: candidates in turn in one process, medians, spreads and ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
TIMING_COLUMNS = ('form', 'median, ms', 'spread', 'times the first')


@dataclass(frozen=True)
class Timing:
    """How long a candidate took.

    Attributes:
        name: Of the candidate.
        median: Seconds.
        best: Seconds; what is left when others use the machine less.
        spread: Distance of the quartiles, as a fraction of the median.
        speedup: The first candidate's time over this one's, the median over the rounds: within a round, both met
            the same disturbances.
        ceiling: Share of the machine's floating-point operations a second in this type, where both are known.
    """

    name: str
    median: float
    best: float
    spread: float
    speedup: float
    ceiling: float | None = None


def time_in_turn(
    candidates: dict[str, Callable[[], Any]],
    repeats: int = 10,
    warmup: int = 2,
    device: torch.device | str = 'cpu',
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Times candidates one after the other, again and again, so that all meet the same disturbances.

    Args:
        candidates: What to call, by name.
        repeats: Rounds that count.
        warmup: Rounds before, which do not.
        device: Waited for before the clock is read.
        clock: ``time.process_time`` counts this process's work on a CPU alone, whoever else uses the machine.

    Returns:
        Seconds of each round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warmup + repeats):
        for name, call in candidates.items():
            _wait(device)
            start = clock()
            call()
            _wait(device)
            if number >= warmup:
                seconds[name].append(clock() - start)
    return seconds


def summarise(
    seconds: dict[str, list[float]], operations: float | None = None, ceilings: dict[str, float] | None = None
) -> list[Timing]:
    """Medians, spreads and ratios to the first candidate.

    Args:
        seconds: As :func:`time_in_turn` returns them.
        operations: Floating-point operations of one call, two for a multiply-accumulate.
        ceilings: Operations a second that the machine reaches in a candidate's type, by the candidate's name.
    """
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    first = next(iter(seconds.values()))
    timings = []
    for name, times in seconds.items():
        quartiles = statistics.quantiles(times, n=4, method='inclusive') if len(times) > 1 else times * 3
        known = operations is not None and name in (ceilings or {})
        share = operations / medians[name] / ceilings[name] if known else None
        spread = (quartiles[2] - quartiles[0]) / medians[name]
        speedup = statistics.median(reference / own for reference, own in zip(first, times, strict=True))
        timings.append(Timing(name, medians[name], min(times), spread, speedup, share))
    return timings


def timing_row(timing: Timing) -> list[str | float]:
    """A timing under ``TIMING_COLUMNS``."""
    return [timing.name, 1e3 * timing.median, f'±{timing.spread:.0%}', timing.speedup]


def convolutions_alone(network: nn.Module, *inputs: Tensor) -> Callable[[], None]:
    """All convolutions of a forward pass, and nothing else.

    Args:
        network: Run once, to note what each convolution is given.
        *inputs: What ``forward`` takes.

    Returns:
        A function that calls the convolutions with what they were given; it keeps these tensors.
    """
    calls: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        calls.append((module, given[0].detach().clone(memory_format=torch.preserve_format)))

    hooks = [
        module.register_forward_pre_hook(note)
        for module in network.modules()
        if isinstance(module, CONVOLUTIONS)
    ]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()

    def run() -> None:
        for module, given in calls:
            module(given)

    return run


def _wait(device: torch.device | str) -> None:
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
