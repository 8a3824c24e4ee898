"""One table, in three forms."""

import pytest

from rawtoolbox.benchmarks.speed.report import Report, as_markdown, as_text, format_cell, read_report

WHERE = {'device': 'abacus', 'threads': 2, 'versions': {'torch': '2'}, 'date': '2026-01-01'}


@pytest.fixture
def report():
    rows = [['slow', 1234.5, '±3%', None], ['fast', 0.01234, '±10%', 100]]
    return Report(
        'loader', 'Beads', ('form', 'ms', 'spread', 'n'), rows, WHERE, ['Pushed by hand.'], {'a': [1]}
    )


def test_columns_line_up(report):
    lines = as_text(report).splitlines()
    assert lines[:2] == ['Beads', '`loader` on abacus, 2 threads; torch 2; 2026-01-01.']
    assert lines[3:] == [
        'form      ms  spread    n',
        'slow    1234     ±3%    -',
        'fast  0.0123    ±10%  100',
        '',
        'Pushed by hand.',
    ]


def test_markdown_is_a_table(report):
    lines = as_markdown(report, level=3).splitlines()
    assert lines[0] == '### Beads' and lines[-1] == 'Pushed by hand.'
    assert '| :-- | --: | --: | --: |' in lines and '| slow | 1234 | ±3% | - |' in lines


def test_what_is_written_is_read(report, tmp_path):
    path = tmp_path / 'loader.json'
    path.write_text(report.to_json())
    assert as_text(read_report(path)) == as_text(report)
    assert read_report(path).details == {'a': [1]}
    path.write_text('{"title": 1}')
    with pytest.raises(ValueError, match=r'loader.json is no result of tools/benchmark.py'):
        read_report(path)


def test_rows_fit_the_columns():
    with pytest.raises(ValueError, match='Beads: 2 columns, but a row of 1'):
        Report('loader', 'Beads', ('form', 'ms'), [['slow']], WHERE)


@pytest.mark.parametrize(
    ('value', 'text'),
    [(0.5, '0.5'), (2.0, '2.00'), (12.345, '12.3'), (1234.5, '1234'), (7, '7'), (0.0, '0'), (99.97, '100')],
)
def test_three_digits(value, text):
    assert format_cell(value) == text
