"""What the machine says about itself."""

import mmap

import numpy as np
import pytest
import torch

from rawtoolbox.benchmarks.speed.machine import machine, matrix_product, memory_copy, peak_memory


def test_the_machine_is_described():
    found = machine()
    assert {'device', 'threads', 'versions', 'date'} <= set(found)
    assert found['device'] and found['versions']['torch'] == torch.__version__


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.int8])
def test_products_are_of_their_type(dtype, monkeypatch):
    monkeypatch.setattr('rawtoolbox.benchmarks.speed.machine.PRODUCT_SIZE', 32)
    found = matrix_product(dtype)()
    assert found.shape == (32, 32)
    assert found.dtype == (torch.int32 if dtype == torch.int8 else dtype)


def test_copy_copies(monkeypatch):
    monkeypatch.setattr('rawtoolbox.benchmarks.speed.machine.COPY_BYTES', 64)
    assert torch.equal(memory_copy()(), torch.ones(64, dtype=torch.uint8))


def test_peak_memory_counts_what_is_freed_again():
    size = 1 << 26
    # pages of its own: an allocator may give out what it has kept from an earlier test, which does not count
    found = peak_memory(lambda: np.frombuffer(mmap.mmap(-1, size), np.uint8).fill(1))
    if found is None:
        pytest.skip('this system does not tell the memory of a process')
    assert 0.9 * size < found < 4 * size
