"""`docs/add_a_backbone.md`, done word for word in a temporary folder."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_backbone_of_the_documentation_trains_by_name(tmp_path, demo_options):
    (tmp_path / 'rawtoolbox').symlink_to(ROOT)
    mine = tmp_path / 'mine'
    mine.mkdir()
    page = (ROOT / 'docs' / 'add_a_backbone.md').read_text()
    files = re.findall(r'`(\w+\.py)`\n\n```python\n(.*?)```', page, re.DOTALL)
    assert [name for name, _ in files] == ['my_backbone.py', 'tiny_demo.py']
    for name, text in files:
        (mine / name).write_text(text)
    assert len(files[0][1].splitlines()) <= 30

    options = [*demo_options, 'train_cfg.max_epochs=1']
    command = [sys.executable, '../rawtoolbox/tools/train.py', 'tiny_demo.py', '--no-validate']
    done = subprocess.run(
        [*command, '--cfg-options', *options], cwd=mine, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (mine / 'work_dirs' / 'tiny_demo' / 'epoch_1.pth').is_file()
    assert 'TinyISP' in done.stderr + done.stdout
