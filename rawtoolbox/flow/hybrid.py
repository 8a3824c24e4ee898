"""HybridFlow: DIS where to look, then a small recurrent network that minds neither colour nor noise."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from rawtoolbox.flow.dis import DISFlow
from rawtoolbox.ops.checks import check_shape
from rawtoolbox.ops.colour import luminance
from rawtoolbox.ops.cost_volume import correlation
from rawtoolbox.registry import FLOW_ESTIMATORS
from rawtoolbox.weights.official import Official, load_weights_file

SIMULATED = Path(__file__).resolve().parents[1] / 'weights' / 'hybrid_simulated.safetensors'
HYBRID = Official(
    FLOW_ESTIMATORS,
    lambda state: {'type': 'HybridFlow', 'weights': None},
    lambda name: name,
    ('hybrid_simulated.safetensors',),
    "hybrid_simulated.safetensors of this project's package",
)
STRIDE = 8
SMALLEST = 16  # of either side, below which OpenCV's DIS crashes on some shapes
STEM, FINE, MIDDLE, COARSE = 16, 8, 32, 48  # channels at 1/2 (twice), 1/4 and 1/8 of the size
MIXED = 32  # channels that all cues are brought down to
GROUPS = 4  # of the fine features, each with a Lucas-Kanade step of its own
WINDOWS = 2  # over which the steps are taken: 3x3 at 1/4 and at 1/8 of the size
DAMPING = 1e-3  # of the Lucas-Kanade equations
LIKENESS = 4.0  # factor on the cosine of two features, from which training starts well


class Estimates(NamedTuple):
    """What the network says about a pair.

    Attributes:
        flows: In pixels of the full size, (N, 2, h, w): one for each iteration, and last the full-sized one.
        log_scale: Logarithm of the scale of the Laplace distribution of its error, (N, 1, H, W): the mean
            error that is expected is ``exp(log_scale)`` pixels.
    """

    flows: list[Tensor]
    log_scale: Tensor


@FLOW_ESTIMATORS.register_module()
class HybridFlow(nn.Module):
    """Flow between images of different cameras: DIS first, then iterative refinement by a learned network.

    The network sees local contrast, so that exposure and vignetting are gone before it starts. From DIS's flow on,
    it compares features around the present position (a cost volume as PWC-Net's, Sun et al., CVPR 2018, at 1/8 and
    1/4 of the size), takes Lucas-Kanade steps (IJCAI 1981) on features at 1/2 of the size in two windows, and lets a
    recurrent block decide, as RAFT does (Teed and Deng, ECCV 2020), whose convex upsampling it uses too. The flow of
    DIS is a constant for the gradient.

    Args:
        weights: ``'simulated'``: those that come with this project, trained by ``configs/flow_hybrid_pairs.py``. Or
            the path of a safetensors file, or None for an untrained network.
        iterations: How often the flow is updated at 1/8 and at 1/4 of the size. Trained with ``(1, 2)``, which lowers
            the error by 1 or 2% and takes 30% longer.

    Raises:
        FileNotFoundError: There is no such file of weights.
        ValueError: The file holds something else.
    """

    def __init__(
        self, weights: str | Path | None = 'simulated', iterations: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.start = DISFlow()
        self.stem = conv(4, STEM)
        self.encode_fine = nn.Conv2d(STEM, FINE, 3, padding=1)
        self.encode_middle = nn.Sequential(conv(STEM, MIDDLE, 2), nn.Conv2d(MIDDLE, MIDDLE, 3, padding=1))
        self.encode_coarse = nn.Sequential(
            nn.ReLU(), conv(MIDDLE, COARSE, 2), nn.Conv2d(COARSE, COARSE, 3, padding=1)
        )
        self.update_coarse = Update(COARSE, reach=4, extra=0, dilation=2)
        self.update_middle = Update(MIDDLE, reach=2, extra=3 * GROUPS * WINDOWS + COARSE, dilation=1)
        self.upsample = nn.Sequential(conv(MIDDLE, 32), nn.Conv2d(32, 9 * 16 + 1, 1))
        if weights is not None:
            load_weights_file(self, SIMULATED if weights == 'simulated' else weights, HYBRID)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimates where each position of the first image is found in the second.

        Args:
            first: RGB images, (N, 3, H, W) in [0, 1], of any size.
            second: RGB images of the same size.

        Returns:
            Flow in pixels, x then y, (N, 2, H, W).

        Raises:
            ValueError: The shapes do not fit.
        """
        return self.with_scale(first, second)[0]

    def with_scale(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The flow, (N, 2, H, W), and the error in pixels that is expected of it, (N, 1, H, W)."""
        height, width = first.shape[-2:]
        estimates = self.estimates(first, second)
        return estimates.flows[-1][..., :height, :width], estimates.log_scale[..., :height, :width].exp()

    def estimates(self, first: Tensor, second: Tensor) -> Estimates:
        """All iterations; images as for :meth:`forward`, flows of the size padded to multiples of 8."""
        sizes = check_shape(first, 'N 3 H W', 'first')
        check_shape(second, f'{sizes["N"]} 3 {sizes["H"]} {sizes["W"]}', 'second')
        missing = [max(-side % STRIDE, SMALLEST - side) for side in (sizes['W'], sizes['H'])]
        margin = (0, missing[0], 0, missing[1])
        first, second = (F.pad(image.float(), margin, mode='replicate') for image in (first, second))
        return self.refine(self.start(first, second), self.features(first), self.features(second))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at 1/2, 1/4 and 1/8 of the size."""
        stem = self.stem(F.pixel_unshuffle(local_contrast(luminance(image)), 2))
        middle = self.encode_middle(stem)
        return self.encode_fine(stem), middle, self.encode_coarse(middle)

    def refine(self, start: Tensor, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Estimates:
        """From a flow to begin with, in pixels of the full size, to better ones."""
        flows = []
        begun, flow = F.avg_pool2d(start, 8), F.avg_pool2d(start, 8)
        state = torch.tanh(first[2])
        for _ in range(self.iterations[0]):
            cues = matching_cues(first[2], sample(second[2], flow / 8), reach=4)
            state, step = self.update_coarse(state, torch.cat([cues, first[2].float()], 1))
            flow = flow + 8 * step
            flows.append(flow)
        flow = F.avg_pool2d(start, 4) + enlarge(flow - begun)
        coarse, state = enlarge(state), torch.tanh(first[1])
        for _ in range(self.iterations[1]):
            cues = matching_cues(first[1], sample(second[1], flow / 4), reach=2)
            steps = lucas_kanade(first[0], sample(second[0], enlarge(flow) / 2))
            state, step = self.update_middle(state, torch.cat([cues, steps, first[1].float(), coarse], 1))
            flow = flow + 4 * step
            flows.append(flow)
        weights, log_scale = self.upsample(state).float().split([9 * 16, 1], 1)
        return Estimates([*flows, convex_upsample(flow, weights)], enlarge(log_scale, 4))


class Update(nn.Module):
    """The recurrent block: from what is seen at the present flow to a new state and a step.

    Args:
        channels: Of the state and the features.
        reach: Of the cost volume.
        extra: Channels of further cues.
        dilation: Of the second convolution.
    """

    def __init__(self, channels: int, reach: int, extra: int, dilation: int) -> None:
        super().__init__()
        seen = (2 * reach + 1) ** 2 + channels + extra
        self.mix = nn.Conv2d(seen, MIXED, 1)
        self.first = conv(channels + MIXED, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.step = nn.Sequential(conv(channels, 16), nn.Conv2d(16, 2, 3, padding=1))
        nn.init.normal_(self.step[-1].weight, std=1e-3)
        nn.init.zeros_(self.step[-1].bias)

    def forward(self, state: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.first(torch.cat([state, torch.relu(self.mix(seen)).to(state)], 1))
        state = torch.tanh(state + self.second(hidden))
        return state, self.step(state).float()


def conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, padding=1), nn.ReLU())


def local_contrast(image: Tensor) -> Tensor:
    """Each channel less its local mean, over its local standard deviation: (N, C, H, W), H and W multiples of 4.

    The window is 20 pixels wide. The deviation is kept above a tenth of the whole image's.
    """

    def around(values: Tensor) -> Tensor:
        small = F.avg_pool2d(F.avg_pool2d(values, 4), 5, 1, 2, count_include_pad=False)
        return F.interpolate(small, scale_factor=4, mode='bilinear')

    centred = image - around(image)
    floor = 0.1 * image.std((2, 3), keepdim=True) + 1 / 255
    return centred / (around(centred.square()) + floor.square()).sqrt()


def matching_cues(first: Tensor, second: Tensor, reach: int) -> Tensor:
    """The likeness (a cosine, times ``LIKENESS``) of features to those around them, (N, (2 reach + 1)^2, H, W)."""
    unit = [F.normalize(features.float(), dim=1) for features in (first, second)]
    return correlation(*unit, reach) * (LIKENESS * first.shape[1])


def lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """Lucas-Kanade steps between features, for groups of channels and several windows.

    Args:
        first: (N, C, H, W), at 1/2 of the size.
        second: The same, sampled at the present flow.

    Returns:
        For each window and group the step in pixels of ``first``, x then y, within [-2, 2], and the logarithm of
        the detail that it rests on: (N, 3 * GROUPS * WINDOWS, H / 2, W / 2).
    """
    first, second = first.float(), second.float()
    middle = F.pad((first + second) / 2, (1, 1, 1, 1), mode='replicate')
    dx = (middle[..., 1:-1, 2:] - middle[..., 1:-1, :-2]) / 2
    dy = (middle[..., 2:, 1:-1] - middle[..., :-2, 1:-1]) / 2
    change = second - first
    pairs = ((dx, dx), (dx, dy), (dy, dy), (dx, change), (dy, change))
    small = torch.cat([group_means(one * other) for one, other in pairs], 1)
    return torch.cat([solve(small), enlarge(solve(F.avg_pool2d(small, 2)))], 1)


def solve(products: Tensor) -> Tensor:
    """The steps of one window, (N, 3 * GROUPS, H, W), from (N, 5 * GROUPS, H, W)."""
    sums = F.avg_pool2d(products, 3, 1, 1, count_include_pad=False)
    xx, xy, yy, xt, yt = sums.unflatten(1, (5, GROUPS)).unbind(1)
    xx, yy = xx + DAMPING, yy + DAMPING
    determinant = xx * yy - xy * xy
    steps = (xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant
    return torch.cat([*(step.clamp(-2, 2) for step in steps), (determinant / (xx + yy)).log() / 4], 1)


def group_means(products: Tensor) -> Tensor:
    """Means over 2x2 positions and over each group of channels, (N, GROUPS, H / 2, W / 2)."""
    return rearrange(F.avg_pool2d(products, 2), 'n (g c) h w -> n g c h w', g=GROUPS).mean(2)


def sample(features: Tensor, flow: Tensor) -> Tensor:
    """Features where a flow in their own pixels points, bilinear, the border's value outside; in float32."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    return F.grid_sample(features.float(), grid.float(), padding_mode='border', align_corners=True)


def enlarge(values: Tensor, factor: int = 2) -> Tensor:
    return F.interpolate(values.float(), scale_factor=factor, mode='bilinear')


def convex_upsample(flow: Tensor, weights: Tensor) -> Tensor:
    """Four times the size, each new position a weighted mean of the 3x3 flows around it (RAFT, section 3.3).

    Args:
        flow: (N, 2, H, W), in units that stay.
        weights: (N, 9 * 16, H, W), before the softmax over nine.

    Returns:
        (N, 2, 4H, 4W).
    """
    shares = rearrange(weights, 'n (k s) h w -> n 1 k s h w', k=9).softmax(2)
    around = F.unfold(F.pad(flow, (1, 1, 1, 1), mode='replicate'), 3)
    around = rearrange(around, 'n (c k) (h w) -> n c k 1 h w', k=9, h=flow.shape[2])
    return rearrange((shares * around).sum(2), 'n c (y x) h w -> n c (h y) (w x)', y=4)
