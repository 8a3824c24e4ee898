"""Timing that two people can repeat: candidates in turn in one process, medians, and what the machine can do."""

from __future__ import annotations

import datetime
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
PRODUCT_SIZE = 2048
PRODUCT_OPERATIONS = 2 * PRODUCT_SIZE**3


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

    def __str__(self) -> str:
        share = '' if self.ceiling is None else f'{self.ceiling:9.0%} of the ceiling'
        return f'{self.name:24}{1e3 * self.median:10.1f} ms  +-{self.spread:4.0%}{self.speedup:8.2f} x{share}'


def time_in_turn(
    candidates: dict[str, Callable[[], Any]],
    repeats: int = 10,
    warmup: int = 2,
    device: torch.device | str = 'cpu',
) -> dict[str, list[float]]:
    """Times candidates one after the other, again and again, so that all meet the same disturbances.

    Args:
        candidates: What to call, by name.
        repeats: Rounds that count.
        warmup: Rounds before, which do not.
        device: Waited for before the clock is read.

    Returns:
        Seconds of each round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warmup + repeats):
        for name, call in candidates.items():
            _wait(device)
            start = time.perf_counter()
            call()
            _wait(device)
            if number >= warmup:
                seconds[name].append(time.perf_counter() - start)
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


def matrix_product(dtype: torch.dtype, device: torch.device | str = 'cpu') -> Callable[[], Tensor]:
    """A large square matrix product of ``PRODUCT_OPERATIONS``: convolutions can at best be as fast."""
    first, second = (torch.rand(PRODUCT_SIZE, PRODUCT_SIZE, device=device).to(dtype) for _ in range(2))
    return lambda: first @ second


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


def machine(device: torch.device | str = 'cpu') -> dict[str, Any]:
    """What a timing was taken on: processor, threads, versions, date."""
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else _processor()
    return {
        'device': name,
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'python': platform.python_version(),
        'date': datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def report(title: str, timings: list[Timing], device: torch.device | str, **further: Any) -> dict[str, Any]:
    """Prints a table, and returns it as plain values for a JSON file."""
    where = machine(device)
    print(f'{title}\n{where["device"]}, {where["threads"]} threads, torch {where["torch"]}, {where["date"]}')
    for timing in timings:
        print(timing)
    return {'title': title, 'machine': where, 'timings': [asdict(timing) for timing in timings], **further}


def _wait(device: torch.device | str) -> None:
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def _processor() -> str:
    """The processor's name, as Linux tells it."""
    information = Path('/proc/cpuinfo')
    lines = information.read_text().splitlines() if information.is_file() else []
    found = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return found[0] if found else platform.processor() or platform.machine()
