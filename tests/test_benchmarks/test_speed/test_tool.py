"""The tool on networks and images as small as they go; what it writes, it reads."""

import runpy
from pathlib import Path

import pytest

from rawtoolbox.benchmarks.speed import fullres
from rawtoolbox.benchmarks.speed.report import read_report

ROOT = Path(__file__).parents[3]


def run(monkeypatch, *arguments):
    tool = runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'))
    monkeypatch.setattr('sys.argv', ['benchmark.py', *map(str, arguments)])
    tool['main']()


@pytest.mark.parametrize(
    ('command', 'options', 'names'),
    [
        (
            'inference',
            ['--size', 64, '--scenes', 1, '--forms', 'torch float32'],
            ['plain float32', 'torch float32'],
        ),
        (
            'fullres',
            ['--height', 96, '--width', 128, '--forms', 'plain float32', 'torch float32'],
            ['plain float32', 'torch float32'],
        ),
        ('flow', ['--size', 64], ['convolutions alone', 'PWC-Net']),
        (
            'train-step',
            ['--size', 64, '--width', 8, '--forms', 0, 3],
            ['plain float32', 'bfloat16, channels last, fused Adam'],
        ),
        (
            'loader',
            ['--size', 64, '--pairs', 2],
            ['reference', 'files', 'packed file', 'device part, on this core'],
        ),
    ],
)
def test_tool_writes_its_numbers(command, options, names, tmp_path, monkeypatch, capsys):
    # a process of its own would take longer to start than all the rest
    monkeypatch.setattr(fullres, 'in_process', lambda function, *args: function(*args))
    out = tmp_path / 'numbers.json'
    run(monkeypatch, command, '--repeats', 1, '--json', out, *options)
    report = read_report(out)
    assert report.command == command and [row[0] for row in report.rows] == names
    assert report.rows[1][1] > 0
    assert report.title in capsys.readouterr().out
    page = tmp_path / 'page.md'
    run(monkeypatch, 'report', out, '-o', page)
    assert f'## {report.title}' in page.read_text() and f'| {names[1]} |' in page.read_text()
