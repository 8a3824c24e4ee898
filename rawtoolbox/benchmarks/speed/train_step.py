"""The joint training step (GCM, PWC-Net, LiteISPNet, VGG loss), plain and with each means of making it faster.

Plain: float32, eager, contiguous; levels, packing and demosaicking per sample on the CPU as colour-demosaicing does it;
losses read in every step. The networks have their true sizes and random weights: no file is needed, and time does not
depend on them.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from rawtoolbox.benchmarks.speed.loader import BLACK, WHITE, demosaic, pack, to_chw
from rawtoolbox.benchmarks.speed.machine import PRODUCT_OPERATIONS, machine, matrix_product, peak_memory
from rawtoolbox.benchmarks.speed.report import Report
from rawtoolbox.benchmarks.speed.timing import summarise, time_in_turn
from rawtoolbox.deployment.complexity import count_macs
from rawtoolbox.losses.vgg import VGGFeatures
from rawtoolbox.models import RawRestorer
from rawtoolbox.ops.augment import random_crop_window
from rawtoolbox.ops.bayer import bayer_mosaic

HELP = 'the joint training step, plain and made faster: time, memory, share of the ceiling'
FORMS: dict[str, dict[str, Any]] = {
    'plain float32': {},
    'float32': {'on_device': True},
    'bfloat16': {'on_device': True, 'autocast': True},
    'bfloat16, channels last, fused Adam': {
        'on_device': True,
        'autocast': True,
        'channels_last': True,
        'fused': True,
    },
}
FORMS['the same, flow in bfloat16'] = {
    **FORMS['bfloat16, channels last, fused Adam'],
    'flow_precision': 'bfloat16',
}
FORMS['the same, checkpointing'] = {**FORMS['the same, flow in bfloat16'], 'checkpointing': True}
FORMS['flow in bfloat16, compiled'] = {**FORMS['the same, flow in bfloat16'], 'compile_networks': True}
COLUMNS = (
    *('form', 'ms a sample', 'spread', 'times the first', 'share of ceiling'),
    *('kept, MB a sample', 'peak, MB', 'loss'),
)
TARGET = 3.0  # times the plain path, on a GPU at batch 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--size', type=int, default=448, help='side of the patches in sensor pixels (448)')
    parser.add_argument('--batch', type=int, default=1, help='patches a step (1; the paper has 16)')
    parser.add_argument('--width', type=int, default=64, help="LiteISPNet's width (64)")
    parser.add_argument(
        '--forms', nargs='+', type=int, metavar='N', help=f'of {dict(enumerate(FORMS))} (all but the last)'
    )


def measure(args: argparse.Namespace) -> Report:
    chosen = args.forms or range(len(FORMS) - 1)
    names = [list(FORMS)[number] for number in chosen]
    cpu_alone = args.device == 'cpu' and torch.get_num_threads() == 1
    batch = draw_batch(args.batch, args.size, args.device)
    steps = {name: TrainingStep(batch, args.device, args.width, **FORMS[name]) for name in names}
    losses, memory, kept = {}, dict.fromkeys(names), {}
    for name, step in steps.items():
        losses[name] = float(step())  # the first step of all is from the same weights
        gc.collect()
        if (
            args.device != 'cpu'
        ):  # there all forms share one process, and what earlier ones freed would not be seen
            memory[name] = peak_memory(step, args.device)
        kept[name] = step.kept_bytes()
    dtypes = {'float32': torch.float32, 'bfloat16': torch.bfloat16}
    products = {f'product in {name}': matrix_product(dtype, args.device) for name, dtype in dtypes.items()}
    clock = time.process_time if cpu_alone else time.perf_counter
    seconds = time_in_turn(steps | products, args.repeats, 1, args.device, clock)
    peaks = {
        name: PRODUCT_OPERATIONS / statistics.median(seconds.pop(f'product in {name}')) for name in dtypes
    }
    operations = args.batch * count_operations(next(iter(steps.values())), args.size)
    low = {name: 'bfloat16' if FORMS[name].get('autocast') else 'float32' for name in names}
    timings = summarise(seconds, operations, {name: peaks[low[name]] for name in names})
    return Report(
        'train-step',
        f'Training step of {args.batch} x {args.size}x{args.size} pixels, {operations / 1e9:.0f} GFLOP',
        COLUMNS,
        [
            (
                t.name, 1e3 * t.median / args.batch, f'±{t.spread:.0%}', t.speedup, f'{t.ceiling:.0%}',
                kept[t.name] / args.batch / 1e6, (memory[t.name] or 0) / 1e6 or None, f'{losses[t.name]:.5f}',
            )
            for t in timings
        ],
        machine(args.device),
        [
            'Kept: activations that the forward pass leaves for the backward pass. Peak: what the second step needs '
            'beyond what was in use before it. Loss: of the first step.',
            *(["Seconds of the process's own work."] if cpu_alone else []),
            f'The target is {TARGET} times the plain path at batch 16 on a GPU.',
            *[f'Matrix product in {name}: {speed / 1e9:.0f} GFLOP/s.' for name, speed in peaks.items()],
        ],
        {'timings': [asdict(t) for t in timings], 'ceilings': peaks, 'losses': losses, 'kept': kept, 'memory': memory},
    )  # fmt: skip


def draw_batch(count: int, size: int, device: str) -> dict[str, Any]:
    """A batch as a data loader makes it: smooth random images, the target a little displaced."""
    torch.manual_seed(0)
    coarse = torch.rand(count, 3, size // 16 + 2, size // 16 + 2)
    scene = nn.functional.interpolate(coarse, (size + 8, size + 8), mode='bicubic').clamp(0, 1)
    y, x = random_crop_window(size + 8, size + 8, size, torch.Generator().manual_seed(1))
    mosaic = bayer_mosaic(scene[..., 4:-4, 4:-4] ** 2.2) * (WHITE - BLACK) + BLACK
    target = (scene[..., y : y + size, x : x + size] * 255).round().to(torch.uint8)
    samples = {'target': target.to(device)}
    return {'inputs': {'mosaic': mosaic.round().to(torch.uint16).to(device)}, 'data_samples': samples}


class TrainingStep:
    """One step of the joint training on one batch, over and over.

    Args:
        batch: As a data loader makes it.
        device: Where the networks are.
        width: LiteISPNet's.
        on_device: Whether the preprocessor makes the inputs, on the device and in batches.
        autocast: Whether networks compute in bfloat16.
        fused: Whether Adam is one kernel.
        flow_precision: See ``FlowAligner``.
        **execution: Further arguments of ``RawRestorer``.
    """

    def __init__(
        self,
        batch: dict[str, Any],
        device: str,
        width: int = 64,
        on_device: bool = False,
        autocast: bool = False,
        fused: bool = False,
        flow_precision: str = 'float32',
        **execution: bool,
    ) -> None:
        torch.manual_seed(0)
        flow = {'type': 'PWCNet', 'weights': None}
        aligner = {'type': 'FlowAligner', 'flow_estimator': flow, 'colour_mapper': {'type': 'GCM'}}
        losses = {
            'l1': {'type': 'L1Loss'},
            'perceptual': {'type': 'VGGLoss'},
            'ssim': {'type': 'SSIMLoss', 'weight': 0.15},
        }
        self.model = RawRestorer(
            {'type': 'LiteISPNet', 'width': width}, {**aligner, 'flow_precision': flow_precision}, losses,
            data_preprocessor={'type': 'RawPreprocessor', 'demosaic_border': 'official'}, **execution,
        ).to(device)  # fmt: skip
        self.model.losses['perceptual'].features = untrained_vgg()
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-4, fused=fused)
        self.batch, self.device, self.on_device, self.autocast = batch, device, on_device, autocast

    def __call__(self) -> Tensor:
        """Trains on the batch once; returns the loss."""
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if not self.on_device:
            loss.item()
        return loss.detach()

    def loss(self) -> Tensor:
        """The sum of all losses."""
        if self.on_device:
            data = self.model.data_preprocessor(self.batch, training=True)
        else:
            data = self.from_samples()
        with torch.autocast(self.device.partition(':')[0], torch.bfloat16, enabled=self.autocast):
            return sum(self.model(**data, mode='loss').values())

    def from_samples(self) -> dict[str, Any]:
        """What the official data loader hands over: made one by one on the CPU, in float32."""
        inputs: list[dict[str, Tensor]] = []
        for mosaic in self.batch['inputs']['mosaic'].cpu():
            linear = (mosaic[0].float().numpy() - BLACK) / (WHITE - BLACK)
            source = to_chw(demosaic(linear).astype('float32'))
            inputs.append({'raw': torch.from_numpy(pack(linear)), 'source': torch.from_numpy(source)})
        coordinates = self.model.data_preprocessor(self.batch)['inputs']
        stacked = {key: torch.stack([each[key] for each in inputs]).to(self.device) for key in inputs[0]}
        stacked |= {key: coordinates[key] for key in ('coord', 'source_coord')}
        return {
            'inputs': stacked,
            'data_samples': {'target': self.batch['data_samples']['target'].float() / 255},
        }

    def kept_bytes(self) -> int:
        """Bytes that the forward pass keeps for the backward pass, parameters aside."""
        kept: dict[int, int] = {}
        networks = self.model, self.model.losses['perceptual'].features.network
        own = {p.untyped_storage().data_ptr() for each in networks for p in each.parameters()}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            self.loss()
        return sum(kept.values())


def untrained_vgg() -> VGGFeatures:
    """VGG-19 up to relu5_4, with random weights."""
    import timm

    features = VGGFeatures('vgg19')
    with torch.device('meta'):  # else timm would spend seconds on filling the classifier, which is dropped
        network = timm.create_model('vgg19', pretrained=False).features
    network = network.to_empty(device='cpu')
    generator = torch.Generator().manual_seed(0)
    for module in network:
        if isinstance(module, nn.ReLU):
            module.inplace = False
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu', generator=generator)
            nn.init.zeros_(module.bias)
    features.network = network.requires_grad_(False).eval()
    return features


def count_operations(step: TrainingStep, size: int) -> float:
    """Floating-point operations of a step and sample: thrice a forward pass where gradients are wanted.

    The VGG sees images of half the size, twice, and its weights get no gradient.
    """
    aligner, device = step.model.aligner, step.device
    image, half = (
        torch.rand(1, 3, size, size, device=device),
        torch.rand(1, 3, size // 2, size // 2, device=device),
    )
    raw, coord = (
        torch.rand(1, 4, size // 2, size // 2, device=device),
        torch.rand(1, 2, size // 2, size // 2, device=device),
    )
    place = torch.rand(1, 2, size, size, device=device)
    macs = 3 * count_macs(step.model.backbone, raw, coord)
    macs += 3 * count_macs(aligner.colour_mapper, image, image, place)
    macs += count_macs(aligner.flow_estimator.estimator, image, image)
    macs += 3 * count_macs(step.model.losses['perceptual'].features.network, half)
    return 2 * macs
