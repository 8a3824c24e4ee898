"""What a benchmark was measured on, and the most that this machine can do."""

from __future__ import annotations

import contextlib
import datetime
import platform
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PRODUCT_SIZE = 2048
PRODUCT_OPERATIONS = 2 * PRODUCT_SIZE**3
COPY_BYTES = 1 << 28
PACKAGES = ('torch', 'onnxruntime', 'openvino')  # named with their versions, where they are installed


def machine(device: torch.device | str = 'cpu') -> dict[str, Any]:
    """What a timing was taken on: processor, threads, versions, date."""
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else processor()
    return {
        'device': name,
        'threads': torch.get_num_threads(),
        'versions': {'Python': platform.python_version(), **package_versions()},
        'date': datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def package_versions() -> dict[str, str]:
    """Versions of those of ``PACKAGES`` that are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def processor() -> str:
    """The processor's name, as Linux tells it, and which instructions for small types it has."""
    information = Path('/proc/cpuinfo')
    text = information.read_text() if information.is_file() else ''
    found = re.search(r'^model name\s*:\s*(.+)$', text, re.MULTILINE)
    name = found[1] if found else platform.processor() or platform.machine()
    flags = set(re.findall(r'\b(amx_bf16|amx_int8|avx512_bf16|avx512_vnni)\b', text))
    return f'{name} ({", ".join(sorted(flags))})' if flags else name


def matrix_product(dtype: torch.dtype, device: torch.device | str = 'cpu') -> Callable[[], Tensor]:
    """A large square matrix product of ``PRODUCT_OPERATIONS``: convolutions can at best be as fast.

    For int8 it is the product that quantised linear layers call, with sums in int32.
    """
    if dtype == torch.int8:
        first, second = (
            torch.randint(-128, 128, (PRODUCT_SIZE, PRODUCT_SIZE), device=device).to(dtype) for _ in range(2)
        )
        return lambda: torch._int_mm(first, second)
    first, second = (torch.rand(PRODUCT_SIZE, PRODUCT_SIZE, device=device).to(dtype) for _ in range(2))
    return lambda: first @ second


def memory_copy(device: torch.device | str = 'cpu') -> Callable[[], Tensor]:
    """A copy that reads ``COPY_BYTES`` and writes as many: passes over features can at best be as fast."""
    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def peak_memory(call: Callable[[], Any], device: torch.device | str = 'cpu') -> int | None:
    """Bytes that a call needs at most, beyond what was in use before it.

    On a CPU, resident memory of this process, whose high-water mark is reset first (Linux); what an allocator keeps
    from earlier calls is not seen. So a call in a process of its own tells most.

    Returns:
        None where the system does not tell.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    try:
        Path('/proc/self/clear_refs').write_text('5')
    except OSError:
        return None
    before = resident()['VmRSS']
    call()
    return max(0, resident()['VmHWM'] - before)


def resident() -> dict[str, int]:
    """Bytes that this process has in memory (VmRSS) and has had at most (VmHWM); empty where Linux is not."""
    status = Path('/proc/self/status')
    text = status.read_text() if status.is_file() else ''
    return {
        name: int(size) << 10 for name, size in re.findall(r'^(VmHWM|VmRSS):\s+(\d+) kB', text, re.MULTILINE)
    }
