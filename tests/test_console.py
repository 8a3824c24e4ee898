"""The command `rawtoolbox`, and the wheel in an empty folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from rawtoolbox import console
from rawtoolbox.files.share import config_names, copy_config, find_config, shared_folder


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Runs Python with the package installed from its wheel, outside any checkout."""
    folder = tmp_path_factory.mktemp('wheel')
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '-q']
    source = folder / 'source'  # a copy: building leaves files behind
    for name in ('rawtoolbox', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    build = ['wheel', str(source), '--no-deps', '--no-build-isolation', '-w', str(folder)]
    subprocess.run([*pip, *build], check=True, capture_output=True, cwd=folder)
    wheel = next(folder.glob('rawtoolbox-*.whl'))
    site = folder / 'site'
    subprocess.run(
        [*pip, 'install', '--no-deps', '--target', str(site), str(wheel)], check=True, capture_output=True
    )
    work = folder / 'empty'
    work.mkdir()

    def run(*arguments):
        environment = {**os.environ, 'PYTHONPATH': str(site), 'OMP_NUM_THREADS': '1'}
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    run.folder = work
    return run


def test_every_command_has_its_tool():
    for tool, _ in console.COMMANDS.values():
        assert (ROOT / 'tools' / tool).is_file()


def test_help_names_every_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['rawtoolbox'])
    console.main()
    page = capsys.readouterr().out
    assert all(f'  {name} ' in page for name in [*console.COMMANDS, 'config'])


def test_unknown_command_is_named(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['rawtoolbox', 'trian'])
    with pytest.raises(SystemExit, match='2'):
        console.main()
    assert "no command 'trian'" in capsys.readouterr().err


def test_help_imports_no_heavy_library():
    code = (
        "import sys; sys.argv = ['rawtoolbox', '--help']; from rawtoolbox.console import main; main(); "
        "assert not {'torch', 'cv2', 'mmengine', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT, capture_output=True)


def test_configs_are_found_by_name():
    assert find_config('gcm_liteisp_demo') == ROOT / 'configs' / 'gcm_liteisp_demo.py'
    assert 'gcm_liteisp_zrr' in config_names()
    with pytest.raises(FileNotFoundError, match=r'Did you mean gcm_liteisp_demo\.py'):
        find_config('gcm_liteisp_dem')


@pytest.mark.parametrize('name', ['gcm_liteisp_demo', 'none_liteisp_demo', 'gcm_srresnetgan_srraw'])
def test_a_copied_config_stands_alone(tmp_path, name):
    from rawtoolbox.engine.config import load_config

    written = copy_config(name, tmp_path / 'my.py')
    assert written[0] == tmp_path / 'my.py'
    assert load_config(tmp_path / 'my.py').model == load_config(name).model
    with pytest.raises(FileExistsError, match='there already'):
        copy_config(name, tmp_path / 'my.py')


def test_the_wheel_lists_trains_and_develops_in_an_empty_folder(installed, demo_options):
    listing = installed('-m', 'rawtoolbox', 'zoo', 'list', 'gcm_liteisp_z*')
    assert listing.returncode == 0, listing.stderr
    assert 'gcm_liteisp_zrr' in listing.stdout
    code = (
        'import rawtoolbox; from rawtoolbox.apis import get_model, list_models; '
        "assert 'site' in rawtoolbox.__file__; print(len(list_models()), type(get_model('gcm_liteisp_demo')).__name__)"
    )
    found = installed('-c', code)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split()[1] == 'LiteISPNet'
    trained = installed(
        *('-m', 'rawtoolbox', 'train', 'gcm_liteisp_demo', '--no-validate', '--cfg-options', *demo_options),
        'train_cfg.max_epochs=1',
    )
    assert trained.returncode == 0, trained.stderr[-2000:]
    checkpoint = installed.folder / 'work_dirs' / 'gcm_liteisp_demo' / 'epoch_1.pth'
    assert checkpoint.is_file()
    raw = next((Path(demo_options[0].partition('=')[2]) / 'test').glob('huawei_raw/*.png'))
    levels = ['--cfa', 'RGGB', '--black-level', '63', '--white-level', '1020']
    done = installed('-m', 'rawtoolbox', 'infer', raw, '-o', 'photo.png', '--checkpoint', checkpoint, *levels)
    assert done.returncode == 0, done.stderr
    assert (installed.folder / 'photo.png').is_file()


def test_tools_and_configs_are_where_they_are_looked_for():
    assert shared_folder('tools') == ROOT / 'tools'
