"""Feeds damaged files to the raw reader, in processes of their own, and counts what comes of it.

    python tests/fuzz_reader.py --count 2500 photo.nef photo.dng

Every fifth file is a PNG or TIFF mosaic, the others are camera files: DNGs written here, and those named. Each
mutation is a function of (seed, number), so that a failure can be made again. A worker reads many files; when one
kills it, or takes too long, the next worker goes on behind it. Good outcomes are a frame, and an error of the
documented kinds with a message. The exit status is 1 if there was any other.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HEADS = (64, 700, 4096)  # bytes in which headers and tags lie
EXTREMES = (b'\0\0', b'\xff\xff', b'\xff\xff\xff\xff', b'\xff\xff\xff\x7f', b'\0\0\0\x80', b'\1\0\0\0')
GOOD = ('read', 'refused')
MOSAIC = {'cfa': 'GRBG', 'black_level': 25, 'white_level': 1023}


def mutate(seeds: list[bytes], seed: int, number: int) -> bytes:
    """A damaged copy of one of the files."""
    rng = np.random.default_rng((seed, number))
    data = bytearray(seeds[number % len(seeds)])
    for _ in range(rng.integers(1, 4)):
        kind = rng.choice(('bytes', 'head', 'word', 'cut', 'mix', 'move'), p=(0.15, 0.3, 0.25, 0.1, 0.1, 0.1))
        if len(data) < 16:
            break
        head = min(rng.choice(HEADS), len(data) - 4)
        if kind in ('bytes', 'head'):
            for place in rng.integers(0, head if kind == 'head' else len(data), rng.integers(1, 17)):
                data[place] = rng.integers(256)
        elif kind == 'word':
            place, word = rng.integers(0, head), EXTREMES[rng.integers(len(EXTREMES))]
            data[place : place + len(word)] = word
        elif kind == 'cut':
            del data[rng.integers(0, len(data)) :]
        elif kind == 'mix':
            other, length = seeds[rng.integers(len(seeds))], rng.integers(4, head)
            data[:length] = other[:length]
        else:  # a piece is moved, and all offsets behind it point wrong
            place, length = rng.integers(0, head), rng.integers(1, 64)
            data[place:place] = data[place : place + length]
    return bytes(data)


def kind_of(number: int) -> str:
    """What a number's file is damaged from."""
    return 'mosaic' if number % 5 == 4 else 'camera'


def seed_files(folder: Path, kind: str) -> list[bytes]:
    """Small whole files to begin with: DNGs in the four phases, or PNG and TIFF mosaics."""
    import cv2
    import tifffile

    from rawtoolbox.raw import Exposure, write_dng

    rng, path = np.random.default_rng(0), folder / 'seed'
    files = []
    if kind == 'mosaic':
        for bits in (10, 16):
            mosaic = rng.integers(0, 2**bits, (46, 58), dtype=np.uint16)
            files.append(cv2.imencode('.png', mosaic)[1].tobytes())
        tifffile.imwrite(path, mosaic)
        return [*files, path.read_bytes()]
    for cfa in ('RGGB', 'GRBG', 'GBRG', 'BGGR'):
        write_dng(
            path,
            rng.integers(0, 65536, (46, 58), dtype=np.uint16),
            cfa,
            black_level=(60, 61, 62, 63),
            as_shot_neutral=(0.5, 1, 0.7),
            color_matrix=np.array([[0.9, -0.29, -0.07], [-0.45, 1.24, 0.23], [-0.09, 0.19, 0.71]]),
            active_area=(3, 4, 45, 58),
            exposure=Exposure(iso=100, shutter=0.01, aperture=2.8, focal_length=50),
        )
        files.append(path.read_bytes())
    return files


def work(seed: int, start: int, stop: int, memory_mb: int, extra: list[str]) -> None:
    """The worker: one line of JSON before each file and one after it."""
    import resource

    from rawtoolbox.raw import RawFileError, open_raw

    with tempfile.TemporaryDirectory() as folder:
        path, seeds = (
            Path(folder) / 'file',
            {kind: seed_files(Path(folder), kind) for kind in ('camera', 'mosaic')},
        )
        seeds['camera'] += [Path(name).read_bytes() for name in extra]
        # The libraries' own address space, which torch makes large, is not the reader's
        pages = int(Path('/proc/self/statm').read_text().split()[0])
        limit = pages * os.sysconf('SC_PAGE_SIZE') + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(start, stop):
            print(json.dumps([number]), flush=True)
            path.write_bytes(mutate(seeds[kind_of(number)], seed, number))
            try:
                frame = open_raw(path, **(MOSAIC if kind_of(number) == 'mosaic' else {}))
                problems = check_frame(frame)
                outcome = ('wrong frame', problems) if problems else ('read', '; '.join(frame.notices))
            except RawFileError as error:
                message = str(error)
                outcome = ('refused' if len(message) > len(str(path)) + 10 else 'no message', message)
            except Exception as error:
                outcome = ('other error', repr(error))
            print(json.dumps([number, *outcome]), flush=True)


def check_frame(frame: object) -> str:
    """What is wrong with a frame; empty if nothing is."""
    height, width = frame.mosaic.shape
    problems = {
        'odd size': height % 2 or width % 2 or not frame.mosaic.size,
        'levels': not max(frame.black_level) < frame.white_level,
        'gains': not all(1 / 16 <= gain <= 16 for gain in frame.white_balance),
        'orientation': frame.orientation not in range(1, 9),
        'type': frame.mosaic.dtype != np.uint16,
    }
    return ', '.join(name for name, wrong in problems.items() if wrong)


def run(
    count: int,
    seed: int = 0,
    seconds: float = 20,
    memory_mb: int = 3000,
    extra: tuple[str, ...] = (),
) -> dict[int, tuple[str, str]]:
    """Reads ``count`` damaged files; returns each one's outcome and what was said."""
    outcomes, number = {}, 0
    while number < count:
        arguments = [seed, number, count, memory_mb, *extra]
        command = [sys.executable, __file__, '--worker', *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
            current = _follow(worker, outcomes, seconds)
            status = worker.poll()
            if status is None:
                worker.kill()
                outcomes[current] = ('hang', f'no answer in {seconds:g} s')
            worker.wait()
            noise = worker.stderr.read()[-300:]
        if worker.returncode == 0:
            break
        if current is None:
            raise RuntimeError(f'The worker did not start: {noise}')
        outcomes.setdefault(current, ('crash', f'exit status {status}: {noise}'))
        number = current + 1
    return outcomes


def _follow(worker: subprocess.Popen, outcomes: dict[int, tuple[str, str]], seconds: float) -> int | None:
    """Collects a worker's lines until it ends or falls silent; returns the number it was at."""
    current = None
    while select.select([worker.stdout], [], [], seconds if current is not None else 120)[0]:
        line = worker.stdout.readline()
        if not line:
            worker.wait(seconds)
            break
        current, *outcome = json.loads(line)
        if outcome:
            outcomes[current] = tuple(outcome)
    return current


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('files', nargs='*', help='whole camera files to damage as well')
    parser.add_argument('--count', type=int, default=2500, help='number of damaged files')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--seconds', type=float, default=20, help='the longest that one file may take')
    parser.add_argument('--memory', type=int, default=3000, help='MB of address space for the reader')
    parser.add_argument('--show', type=int, default=3, help='examples of each outcome to print')
    arguments = parser.parse_args()
    outcomes = run(
        arguments.count, arguments.seed, arguments.seconds, arguments.memory, tuple(arguments.files)
    )
    counts = collections.Counter((kind_of(number), outcome) for number, (outcome, _) in outcomes.items())
    for (kind, outcome), times in sorted(counts.items()):
        print(f'{kind} files {outcome}: {times}')
        examples = [
            (n, said) for n, (what, said) in outcomes.items() if (kind_of(n), what) == (kind, outcome)
        ]
        for number, said in examples[: arguments.show if outcome in GOOD else None]:
            print(f'    {number}: {said}')
    return int(any(outcome not in GOOD for _, outcome in counts))


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    if sys.argv[1:2] == ['--worker']:
        work(*map(int, sys.argv[2:6]), sys.argv[6:])
    else:
        sys.exit(main())
