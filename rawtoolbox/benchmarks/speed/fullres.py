"""A whole frame, cut into tiles: the plain network against optimised ones, each in a process of its own.

A frame is developed once a process, after its first tile has been developed as a warm-up: the time is that of a
frame in the middle of a folder. The peak is the process's resident memory, all told.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from rawtoolbox.benchmarks.speed.inference import SCENES, open_network
from rawtoolbox.benchmarks.speed.machine import machine, resident
from rawtoolbox.benchmarks.speed.photographs import photographed_frame, simulated_samples
from rawtoolbox.benchmarks.speed.report import Report
from rawtoolbox.deployment.backends import decibels
from rawtoolbox.deployment.int8 import export_int8
from rawtoolbox.deployment.openvino_network import OpenVinoNetwork
from rawtoolbox.engine.cli import add_import
from rawtoolbox.inference.inferencer import Inferencer
from rawtoolbox.inference.tiles.statistics import has_global_layers, local_version
from rawtoolbox.inference.trained import TrainedNetwork

HELP = 'a whole frame of 12 megapixels, tile by tile'
FORMS = ('plain float32', 'torch float32', 'torch bfloat16', 'openvino bfloat16', 'openvino int8')
COLUMNS = ('form', 'seconds', 'ms per megapixel', 'times the first', 'tiles', 'peak, MiB', 'to plain, dB')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--height', type=int, default=2976, help='of the frame in pixels (2976)')
    parser.add_argument('--width', type=int, default=3968, help='likewise (3968)')
    parser.add_argument('--network', default='LiteISPNet', help='name of a backbone, untrained (LiteISPNet)')
    parser.add_argument('--checkpoint', help='a trained network in its place')
    add_import(parser)
    parser.add_argument('--forms', nargs='+', choices=FORMS, metavar='FORM', default=FORMS, help='of all')
    parser.add_argument('--tile', type=int, help='side of a tile (default: as the Inferencer chooses)')
    parser.add_argument(
        '--exported',
        help='folder of exported files of this very network, used again if there (default: none)',
    )
    parser.set_defaults(repeats=1)


def measure(args: argparse.Namespace) -> Report:
    name = open_network(args).name
    rows, first, plain = [], None, None
    with tempfile.TemporaryDirectory() as folder:
        args.exported = args.exported or folder
        if 'openvino int8' in args.forms and not int8_file(args).is_file():
            in_process(write_int8, args)
        for form in args.forms:
            results = [in_process(develop_once, form, args, folder) for _ in range(args.repeats)]
            seconds = statistics.median(result[0] for result in results)
            image = torch.from_numpy(np.load(Path(folder) / 'image.npy', mmap_mode=None))
            first, plain = first or seconds, image if plain is None else plain
            quality = None if form == args.forms[0] else decibels(image, plain)
            peak = max(result[2] for result in results) >> 20
            megapixels = args.height * args.width / 1e6
            rows.append(
                [form, seconds, 1e3 * seconds / megapixels, first / seconds, results[0][1], peak, quality]
            )
    return Report(
        'fullres',
        f'{name}, {args.width}x{args.height} pixels, tile by tile',
        COLUMNS,
        rows,
        machine(args.device),
        [f'{args.repeats} frames each, a process each; statistics over windows of the training patch.'],
    )


def in_process(function, *args):
    """Calls a function in a fresh process, so that neither memory nor threads are inherited."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(function, *args).result()


def develop_once(form: str, args: argparse.Namespace, folder: str) -> tuple[float, int, int]:
    """Develops the frame; leaves the image in the folder.

    Returns:
        Seconds, number of tiles, and the process's peak memory in bytes.
    """
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)  # an untrained network is the same in every process
    trained = open_network(args)
    infer = make_inferencer(form, trained, args)
    frame = photographed_frame(args.height, args.width)
    pixels = 2 if trained.raw_input.layout == 'packed' else 1
    plan = infer.plan(*(side // pixels for side in (args.height, args.width)))
    infer.tile = 0  # the warm-up is the first of the frame's tiles, as one
    rows, columns = pixels * plan.rows[0].stop, pixels * plan.columns[0].stop
    infer.develop(replace(frame, mosaic=frame.mosaic[:rows, :columns]))
    infer.tile = args.tile
    start = time.perf_counter()
    image = infer.develop(frame).image
    seconds = time.perf_counter() - start
    peak = resident().get('VmHWM', 0)
    np.save(Path(folder) / 'image.npy', image.numpy())
    return seconds, len(plan), peak


def make_inferencer(form: str, trained: TrainedNetwork, args: argparse.Namespace) -> Inferencer:
    """An Inferencer whose network is run in one of ``FORMS``."""
    backend, dtype = form.split()
    options = {'device': args.device, 'tile': args.tile}
    if dtype == 'int8':
        return Inferencer(trained, backend=OpenVinoNetwork(int8_file(args)), **options)
    return Inferencer(trained, backend=backend, dtype=dtype, **options)


def int8_file(args: argparse.Namespace) -> Path:
    """Where the network lies in int8."""
    return Path(args.exported) / 'windows.int8.xml'


def write_int8(args: argparse.Namespace) -> None:
    """Writes the network in int8, with statistics over windows, calibrated on simulated patches."""
    torch.manual_seed(0)
    trained = open_network(args)
    network, patch, form = trained.network, trained.patch_size, trained.raw_input
    samples = simulated_samples(trained, patch, 'train', SCENES)
    side = samples[0].raw.shape[-1]
    smallest = 1
    if has_global_layers(network):
        network, smallest = local_version(network, side, form.channels), side
    sizes = [(side, side + form.multiple)]
    export_int8(network, int8_file(args), [sample[:2] for sample in samples], smallest=smallest, sizes=sizes)
