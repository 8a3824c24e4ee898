"""RAFT: optical flow by recurrent updates over all pairs of positions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.registry import FLOW_ESTIMATORS
from rawtoolbox.weights.official import Official, load_weights_file

STRIDE = 8
LEAST_INSIDE = 128  # below, the coarsest of the four correlation levels is a single position
SMALLEST = 16

# torchvision's files, the better generalising ones first: names that it publishes under, by network
FILES = {
    'small': ('raft_small.safetensors', 'raft_small_fp16.safetensors', 'raft_small_C_T_V2-01064c6d.pth'),
    'large': (
        *('raft_large.safetensors', 'raft_large_fp16.safetensors'),
        *('raft_large_C_T_SKHT_V2-ff5fadd5.pth', 'raft_large_C_T_V2-1bb1363a.pth'),
    ),
}


@FLOW_ESTIMATORS.register_module()
class RAFT(nn.Module):
    """RAFT as torchvision has it, for images of any size.

    Teed and Deng, *RAFT: Recurrent All-Pairs Field Transforms for Optical Flow*, ECCV 2020. With torchvision's
    weights and 20 updates, the small one's mean end-point errors on Middlebury's RubberWhale, Grove2, Urban2 and
    Venus are 0.306, 0.349, 0.525 and 0.355 pixels. It computes in float32; on images with NaN it returns NaN.

    Args:
        size: ``'small'`` (0.99 M parameters) or ``'large'`` (5.26 M).
        weights: ``'pretrained'``: ``raft_<size>.safetensors`` or torchvision's own file, in the working folder,
            one that ``$RAWTOOLBOX_WEIGHTS`` names, or torch hub's cache. Or the path of a file with torchvision's
            names; or None for an untrained network.
        num_updates: Recurrent updates; the time goes with it.

    Raises:
        ValueError: Another ``size``, no update, or a file that holds something else.
        FileNotFoundError: The weights are nowhere to be found; the message says where to get them.
        ImportError: torchvision is not installed.
    """

    def __init__(
        self,
        size: Literal['small', 'large'] = 'small',
        weights: str | Path | None = 'pretrained',
        num_updates: int = 20,
    ) -> None:
        super().__init__()
        if size not in FILES:
            raise ValueError(f'RAFT: size is one of {", ".join(FILES)}, found {size!r}.')
        if num_updates < 1:
            raise ValueError(f'RAFT: num_updates is at least 1, found {num_updates}.')
        self.num_updates = num_updates
        self.network = build_network(size)
        if weights is not None:
            load_weights_file(self.network, weights, official(size))

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimates where each position of the first image is found in the second.

        Args:
            first: RGB images, (N, 3, H, W) in [0, 1], at least 16 pixels high and wide. They are continued by
                their outermost pixels to a multiple of 8 and to 128, below which the network finds less.
            second: RGB images of the same size.

        Returns:
            Flow in pixels, x then y, (N, 2, H, W), of the images' type.

        Raises:
            ValueError: The shapes do not fit, or the images are too small.
        """
        sizes = check_shape(first, 'N 3 H W', 'first')
        height, width = sizes['H'], sizes['W']
        check_shape(second, f'{sizes["N"]} 3 {height} {width}', 'second')
        if min(height, width) < SMALLEST:
            raise ValueError(
                f'RAFT needs images of at least {SMALLEST}x{SMALLEST} pixels, found {height}x{width}: '
                'use larger crops.'
            )
        # right and below only: strided convolutions start at the first pixel, and half on either side costs 5%
        padding = (0, padded_length(width) - width, 0, padded_length(height) - height)
        padded = (F.pad(2 * image.float() - 1, padding, mode='replicate') for image in (first, second))
        # torchvision's coordinates are always float32, whatever .to() made of the weights
        flow = self.network.float()(*padded, num_flow_updates=self.num_updates)[-1]
        return flow[..., :height, :width].to(first)


def padded_length(length: int) -> int:
    """The length that the network takes: a multiple of its stride, and enough of them."""
    return max(-(-length // STRIDE) * STRIDE, LEAST_INSIDE)


def build_network(size: str) -> nn.Module:
    """torchvision's network; imported here, since little else needs the package's models."""
    try:
        from torchvision.models import optical_flow
    except ModuleNotFoundError as error:
        raise ImportError('RAFT needs torchvision: pip install torchvision (DISFlow needs none).') from error
    return {'small': optical_flow.raft_small, 'large': optical_flow.raft_large}[size]()


def official(size: str) -> Official:
    """Where the weights of a size are found, and under which names."""
    return Official(
        FLOW_ESTIMATORS,
        lambda state: {'type': 'RAFT', 'size': size, 'weights': None},
        lambda name: name,
        FILES[size],
        f'{FILES[size][2]} from https://download.pytorch.org/models/ (DISFlow needs no file)',
    )
