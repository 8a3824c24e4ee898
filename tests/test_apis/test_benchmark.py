"""The arithmetic of timings, and that forms are timed in turn."""

import json
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from rawtoolbox.apis.benchmark import convolutions_alone, machine, summarise, time_in_turn

ROOT = Path(__file__).parents[2]


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
    assert '3.00 x' in str(fast) and '75% of the ceiling' in str(fast)


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


def test_the_machine_is_described():
    assert {'device', 'threads', 'torch', 'date'} <= set(machine())
    assert machine()['device']


@pytest.mark.parametrize(
    ('command', 'options', 'names'),
    [
        ('inference', ['--no-onnx', '--dtypes', 'float32'], ['plain float32', 'optimised float32']),
        ('flow', [], ['convolutions alone', 'PWC-Net']),
    ],
)
def test_tool_writes_its_numbers(command, options, names, tmp_path, monkeypatch, capsys):
    tool = runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'))
    out = tmp_path / 'numbers.json'
    arguments = [command, '--size', '64', '--repeats', '1', '--json', str(out), *options]
    monkeypatch.setattr('sys.argv', ['benchmark.py', *arguments])
    tool['main']()
    numbers = json.loads(out.read_text())
    assert [timing['name'] for timing in numbers['timings']] == names
    assert numbers['timings'][1]['median'] > 0
    assert numbers['title'] in capsys.readouterr().out
