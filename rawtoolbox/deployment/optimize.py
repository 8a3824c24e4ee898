"""A backbone made ready to run: folded, in the layout and precision that suit its device."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.deployment.fold import FoldedLiteISPNet, FoldedMWISPNet, fold_network
from rawtoolbox.deployment.fuse import fuse_attention, fuse_relu

STAGES = ('join', 'down1', 'down2', 'down3', 'middle', 'up3', 'up2', 'up1')
IMAGE_CHANNELS = 12  # a convolution of no more outputs makes an image, perhaps before a pixel shuffle
GPU_MULTIPLE = 8  # channels that tensor cores take at a time
WORTH_IT = 1.1  # by what bfloat16 must be faster to be taken


def optimize_for_inference(
    backbone: nn.Module,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype | None = torch.float32,
    graphs: bool = True,
) -> nn.Module:
    """Makes a faster copy of a backbone that gives the same image.

    Wavelets and tail are folded into convolutions (:func:`~rawtoolbox.deployment.fold.fold_network`), images lie
    channels last, ReLUs are part of the convolutions before them, channel attention is one pass less, and
    the coordinates' share of the first convolution is kept as long as the coordinates stay the same. In half
    precision, what sees the raw or makes the image stays in float32: the rounding of an image to bfloat16 alone
    would cost more than all else.

    Args:
        backbone: The network, which is left alone.
        device: Where it is to run.
        dtype: Type of the convolutions; None for the faster of float32 and bfloat16 on this device, measured: not
            every CPU that knows bfloat16 gains by it.
        graphs: Whether to compile for a GPU, into a CUDA graph for each size that is met, which takes minutes. Has
            not been tried yet, for want of a GPU; without effect on a CPU.

    Returns:
        A module called as the backbone is; float32 in, float32 out.

    Raises:
        ValueError: ``dtype`` is none of float32, bfloat16 and float16.
    """
    device = torch.device(device)
    dtype = dtype or faster_dtype(device)
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise ValueError(f'dtype: expected float32, bfloat16, float16 or None, found {dtype}.')
    network = fuse_attention(fold_network(backbone).float().to(device))
    if device.type == 'cpu':
        fuse_relu(network)
        limit_threads()
        keep_place(network)
    else:
        pad_width(network, GPU_MULTIPLE)
    if dtype != torch.float32:
        network = reduce_precision(network, dtype)
    network = network.to(memory_format=torch.channels_last)
    if graphs and device.type == 'cuda':
        return torch.compile(network, mode='reduce-overhead', dynamic=False)
    return network


def keep_place(network: nn.Module) -> None:
    """Lets a folded network keep its coordinates' share, in place, where it is the same from image to image."""
    if isinstance(network, FoldedLiteISPNet) and network.coord and network.coord_predictor is None:
        network.place = Kept(network.place)


class Kept(nn.Module):
    """Keeps the last output of a module, and gives it again while the input is the same.

    Args:
        module: A module of one input whose output nobody changes.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.last: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.last is None or not torch.equal(self.last[0], x):
            self.last = x.clone(), self.module(x)
        return self.last[1]


def pad_width(network: nn.Module, multiple: int) -> None:
    """Pads the stage that works on joined coordinates, in place, with channels that stay zero.

    Args:
        network: Others than a folded LiteISPNet with coordinates are left as they are.
        multiple: The stage's channels become a multiple of this.
    """
    if not (isinstance(network, FoldedLiteISPNet) and network.coord):
        return
    wide = network.join.out_channels
    extra = -wide % multiple
    pad_channels(network.join, 0, extra)
    pad_channels(network.place, 0, extra)
    for conv in (module for module in network.down1.modules() if isinstance(module, nn.Conv2d)):
        pad_channels(conv, extra * (conv.in_channels == wide), extra * (conv.out_channels == wide))


def pad_channels(conv: nn.Conv2d, inputs: int, outputs: int) -> None:
    """Gives a convolution, in place, more inputs that it ignores and more outputs that are zero."""
    conv.weight = nn.Parameter(F.pad(conv.weight, (0, 0, 0, 0, 0, inputs, 0, outputs)), requires_grad=False)
    if conv.bias is not None:
        conv.bias = nn.Parameter(F.pad(conv.bias, (0, outputs)), requires_grad=False)
    conv.in_channels, conv.out_channels = conv.in_channels + inputs, conv.out_channels + outputs


def reduce_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Lets a network compute in half precision where its image hardly suffers.

    The known networks (:func:`~rawtoolbox.deployment.fold.fold_network`) run their stages in it and keep the features
    that go from stage to stage, the head and the tail in float32; any other runs under autocast, but for
    the convolutions that make an image.

    Args:
        network: Changed in place.
        dtype: bfloat16 or float16.
    """
    if not isinstance(network, FoldedLiteISPNet | FoldedMWISPNet):
        return Autocast(network, dtype)
    for name in (name for name in STAGES if hasattr(network, name)):
        setattr(network, name, Cast(getattr(network, name), dtype))
    return network


class Cast(nn.Module):
    """Runs a module in another type than its surroundings, which are in float32."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module.to(dtype), dtype

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x.to(self.dtype)).float()


class Autocast(nn.Module):
    """Runs a network under autocast, the convolutions that make its image in float32.

    Args:
        network: Any backbone; changed in place.
        dtype: As of :class:`torch.autocast`.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype, self.raw_input = network, dtype, getattr(network, 'raw_input', None)
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Conv2d) and child.out_channels <= IMAGE_CHANNELS:
                    setattr(module, name, Float32(child))

    def forward(self, raw: Tensor, coord: Tensor | None = None) -> Tensor:
        with torch.autocast(raw.device.type, self.dtype):
            return self.network(raw, coord).float()


class Float32(nn.Module):
    """Keeps a module in float32 under autocast."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.module(x.float())


def limit_threads() -> None:
    """Lets torch use no more threads than there are CPUs for this process, unless ``OMP_NUM_THREADS`` says.

    A container's quota is not seen by torch, which then starts a thread for every CPU of the machine.
    """
    if 'OMP_NUM_THREADS' not in os.environ and usable_cpus() < torch.get_num_threads():
        torch.set_num_threads(usable_cpus())


def usable_cpus() -> int:
    """CPUs that this process may use: those that it is bound to, or fewer by the quota of its control group."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    quota = Path('/sys/fs/cgroup/cpu.max')
    quantum, period = quota.read_text().split() if quota.is_file() else ('max', '1')
    return bound if quantum == 'max' else max(1, min(bound, round(int(quantum) / int(period))))


def faster_dtype(device: torch.device) -> torch.dtype:
    """Which of float32 and bfloat16 convolves faster on a device, by a few convolutions of typical size."""
    seconds = {dtype: _convolution_seconds(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    gains = seconds[torch.float32] > WORTH_IT * seconds[torch.bfloat16]
    return torch.bfloat16 if gains else torch.float32


def _convolution_seconds(device: torch.device, dtype: torch.dtype, repeats: int = 5) -> float:
    """The least time that a 3x3 convolution of 64 channels takes, 112 pixels a side."""
    conv = nn.Conv2d(64, 64, 3, padding=1, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    x = torch.rand(1, 64, 112, 112, device=device).to(dtype, memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(repeats):
            start = time.perf_counter()
            conv(x).sum().item()  # waits for the device
            times.append(time.perf_counter() - start)
    return min(times)
