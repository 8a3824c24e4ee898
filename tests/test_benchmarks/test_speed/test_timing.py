"""The arithmetic of timings, and that forms are timed in turn."""

import pytest
import torch
from torch import nn

from rawtoolbox.benchmarks.speed.timing import convolutions_alone, summarise, time_in_turn, timing_row


def test_forms_are_timed_in_turn_after_a_warm_up():
    calls = []
    seconds = time_in_turn({name: lambda name=name: calls.append(name) for name in 'ab'}, repeats=3, warmup=2)
    assert calls == ['a', 'b'] * 5
    assert all(len(times) == 3 and min(times) >= 0 for times in seconds.values())


def test_medians_ratios_and_shares():
    seconds = {'plain': [4.0, 2.0, 3.0], 'fast': [1.0, 1.0, 1.0]}
    plain, fast = summarise(seconds, operations=6.0, ceilings={'fast': 8.0})
    assert (plain.median, plain.best, plain.speedup, plain.ceiling) == (3, 2, 1, None)
    assert plain.spread == pytest.approx(1 / 3)
    assert (fast.speedup, fast.spread, fast.ceiling) == (3, 0, 0.75)
    assert timing_row(fast) == ['fast', 1000, '±0%', 3]


def test_convolutions_alone_are_all_that_is_called():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.ConvTranspose2d(2, 1, 2))
    run = convolutions_alone(network, torch.rand(1, 1, 8, 8))
    seen = []
    for module in network:
        module.register_forward_pre_hook(
            lambda module, given: seen.append((type(module), given[0].shape[-1]))
        )
    run()
    assert seen == [(nn.Conv2d, 8), (nn.Conv2d, 6), (nn.ConvTranspose2d, 4)]
