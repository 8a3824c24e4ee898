"""PWC-Net against its convolutions alone, to which warps and cost volumes should add little."""

from __future__ import annotations

import argparse

import torch

from rawtoolbox.benchmarks.speed.machine import machine
from rawtoolbox.benchmarks.speed.report import Report
from rawtoolbox.benchmarks.speed.timing import (
    TIMING_COLUMNS,
    convolutions_alone,
    summarise,
    time_in_turn,
    timing_row,
)
from rawtoolbox.flow import PWCNet

HELP = 'PWC-Net against its convolutions alone'
TARGET = 1.25  # times its convolutions alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--size', type=int, default=448, help='side of the images in pixels (448)')


def measure(args: argparse.Namespace) -> Report:
    network = PWCNet(weights=None).eval().to(args.device)
    images = torch.rand(2, 1, 3, args.size, args.size, device=args.device)
    calls = {'convolutions alone': convolutions_alone(network, *images), 'PWC-Net': lambda: network(*images)}
    with torch.inference_mode():
        timings = summarise(time_in_turn(calls, args.repeats, device=args.device))
    ratio = 1 / timings[1].speedup
    return Report(
        'flow',
        f'PWC-Net, {args.size}x{args.size} pixels',
        TIMING_COLUMNS,
        [timing_row(timing) for timing in timings],
        machine(args.device),
        [f'{ratio:.2f} times the convolutions alone; the target is {TARGET}.'],
        {'ratio': ratio},
    )
