import subprocess
import sys

import pytest

from rawtoolbox import compat


def test_torchvision_imports_after_the_package():
    code = 'import rawtoolbox.registry, torchvision, timm, lpips; print(torchvision.__version__)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_mending_twice_changes_nothing():
    compat.mend_torchvision()
    compat.mend_torchvision()
    import torchvision

    assert torchvision.ops is not None


def test_missing_system_library_names_both_remedies(monkeypatch):
    def fail(name):
        raise ImportError('libGL.so.1: cannot open shared object file')

    monkeypatch.setattr(compat.importlib, 'import_module', fail)
    with pytest.raises(ImportError, match=r'apt-get install libgl1.*opencv-python-headless'):
        compat.check_opencv()


def test_other_import_errors_pass_through(monkeypatch):
    def fail(name):
        raise ImportError('numpy is too old')

    monkeypatch.setattr(compat.importlib, 'import_module', fail)
    with pytest.raises(ImportError, match='^numpy is too old$'):
        compat.check_opencv()
