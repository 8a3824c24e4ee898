import json
from pathlib import Path

import pytest

from rawtoolbox.benchmarks.alignment.seeds import (
    ALL_ROWS,
    SeedRuns,
    mean_and_error,
    pending,
    read_scores,
    run_one,
    seed_table,
)

TRAIN = """import sys, pathlib
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
folder.mkdir(parents=True, exist_ok=True)
(folder / 'last_checkpoint').write_text('x')
(folder / 'calls').open('a').write(' '.join(sys.argv[1:]) + chr(10))
"""
TEST = """import sys, json
out = sys.argv[sys.argv.index('--out') + 1]
open(out, 'w').write(json.dumps({'exact/psnr': 20 + len(sys.argv[1].split('/')[-1])}))
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text(TRAIN)
    (tmp_path / 'tools/test.py').write_text(TEST)
    return tmp_path


def test_runs_in_order_and_goes_on_where_it_was(root):
    runs = SeedRuns(root, root / 'out', ('raw', 'exact'), range(2), ('a=1',))
    assert list(pending(runs)) == [('raw', 0), ('exact', 0), ('raw', 1), ('exact', 1)]
    run_one(runs, 'raw', 0)
    runs.result('raw', 0).unlink()
    run_one(runs, 'raw', 0)
    first, second = (root / 'out/raw-0/calls').read_text().splitlines()
    assert '--resume' not in first
    assert '--resume' in second
    assert '--seed 0' in second
    assert second.endswith('--cfg-options a=1')
    assert list(pending(runs)) == [('exact', 0), ('raw', 1), ('exact', 1)]
    assert read_scores(runs) == {'raw': {0: 20 + len('raw_liteisp_sim.py')}}
    with pytest.raises(ValueError, match='expected the score original/psnr, found exact/psnr'):
        read_scores(runs, 'original/psnr')


def test_every_row_has_its_config():
    runs = SeedRuns(Path(__file__).parents[2], Path('out'))
    assert all(runs.config(row).is_file() for row in ALL_ROWS)


def test_differences_are_paired_by_seed():
    """Rows that swing together from seed to seed differ surely, although their own errors are large."""
    scores = {
        'raw': {0: 20.0, 1: 24.0, 2: 22.0},
        'gcm': {0: 20.5, 1: 24.6, 2: 22.4},
        'sift': {0: 21.0, 1: 22.0},
    }
    table = seed_table(scores).splitlines()
    assert '+0.500' in table[2]
    assert table[2].endswith('*')
    assert not table[3].endswith('*')
    mean, error = mean_and_error([20.0, 24.0, 22.0])
    assert (mean, round(error, 3)) == (22, 1.155)


def test_unknown_rows(tmp_path):
    with pytest.raises(ValueError, match='rows: expected some of raw, gcm'):
        SeedRuns(tmp_path, tmp_path, ('raw', 'pwc'))


def test_results_are_json(root):
    runs = SeedRuns(root, root / 'out', ('raw',), (3,))
    run_one(runs, 'raw', 3)
    assert json.loads(runs.result('raw', 3).read_text())['exact/psnr'] > 0
