import os
import subprocess
import sys

import pytest

from rawtoolbox.files.atomic import (
    AtomicBackend,
    atomic_folder,
    atomic_path,
    check_writable,
    sha256,
    write_atomically,
)


def test_writes_and_replaces(tmp_path):
    target = tmp_path / 'new' / 'a.txt'
    write_atomically(target, 'one')
    write_atomically(target, b'two')
    assert target.read_text() == 'two'
    assert os.listdir(target.parent) == ['a.txt']


def test_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / 'a.txt'
    target.write_text('old')
    with pytest.raises(RuntimeError, match='midway'), atomic_path(target) as temporary:
        temporary.write_text('half')
        raise RuntimeError('midway')
    assert target.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_full_disk_leaves_nothing_half_written(tmp_path):
    """A limit on file size stands for the full disk: the kernel refuses the write midway."""
    code = (
        'import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16));'
        'from rawtoolbox.files.atomic import AtomicBackend;'
        f'AtomicBackend().put(b"x" * (1 << 20), {str(tmp_path / "epoch_1.pth")!r})'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'epoch_1.pth could not be written' in done.stderr
    assert 'make room' in done.stderr
    assert os.listdir(tmp_path) == []


def test_backend_is_known_to_mmengine(tmp_path):
    from mmengine.fileio import get_file_backend

    backend = get_file_backend(str(tmp_path), backend_args={'backend': 'atomic'})
    assert isinstance(backend, AtomicBackend)
    backend.put(b'abc', str(tmp_path / 'c.bin'))
    assert (tmp_path / 'c.bin').read_bytes() == b'abc'


def test_unwritable_work_folder_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match=r'work folder .*file/run cannot be written to .*--work-dir'):
        check_writable(tmp_path / 'file' / 'run')


def test_writable_work_folder_is_made_and_left_clean(tmp_path):
    check_writable(tmp_path / 'a' / 'b')
    assert os.listdir(tmp_path / 'a' / 'b') == []


def test_sha256_of_known_text(tmp_path):
    (tmp_path / 'abc').write_bytes(b'abc')
    assert sha256(tmp_path / 'abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'


def test_files_are_as_readable_as_any_other(tmp_path):
    with atomic_path(tmp_path / 'a.bin') as temporary:
        temporary.touch(0o600)
    (tmp_path / 'other').touch()
    assert (tmp_path / 'a.bin').stat().st_mode == (tmp_path / 'other').stat().st_mode


def test_a_folder_appears_when_it_is_whole(tmp_path):
    goal = tmp_path / 'made' / 'folder'
    with atomic_folder(goal) as unfinished:
        (unfinished / 'a').write_text('a')
        assert not goal.exists()
    assert [file.name for file in goal.iterdir()] == ['a']
    assert list(goal.parent.iterdir()) == [goal]


def test_nothing_is_left_of_a_folder_that_failed_or_stayed_empty(tmp_path):
    with pytest.raises(ValueError, match='stop'), atomic_folder(tmp_path / 'a') as unfinished:
        (unfinished / 'b').write_text('b')
        raise ValueError('stop')
    with atomic_folder(tmp_path / 'a'):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_replaced(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'mine').write_text('mine')
    with pytest.raises(OSError), atomic_folder(tmp_path / 'a') as unfinished:
        (unfinished / 'b').write_text('b')
    assert [file.name for file in (tmp_path / 'a').iterdir()] == ['mine']
