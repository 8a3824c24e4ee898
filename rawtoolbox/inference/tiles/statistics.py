"""Layers that average over the whole input, replaced by ones that give the same however a frame is cut.

Channel attention, context blocks and instance normalisation take statistics of all that they are given. A network
trained on patches and run on a frame, or on tiles of another size, meets statistics that it has never seen, and
neighbouring tiles disagree. Two remedies:

* ``local_version``: statistics over a window of the training patch's size about each pixel (TLC: Chu et al.,
  *Improving Image Restoration by Revisiting Global Information Aggregation*, ECCV 2022);
* ``frame_version``: statistics of the whole frame, gathered tile by tile in a first pass.

Both work on a copy of the network, in which known layers are replaced by modules around them; the network that was
given is left as it is. A layer of one's own is made known by an entry in ``REPLACEMENTS``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.func import functional_call

from rawtoolbox.backbones.awnet_blocks import GlobalContext, PyramidPooling, SqueezeExcite
from rawtoolbox.backbones.liteispnet import CoordPredictor
from rawtoolbox.inference.tiles.pools import FrameMean, HeldMean, LocalMean
from rawtoolbox.layers.rcab import ChannelAttention

LARGEST_LOGIT = 60.0  # exp() of more would overflow in float32 sums

NewPool = Callable[..., nn.Module]  # new_pool(divisor=1): a module that gives means over a patch / divisor


def spread(means: Tensor, like: Tensor) -> Tensor:
    """Coarse maps at the size of an image; one value for all stays one value."""
    if means.shape[-2:] in (like.shape[-2:], (1, 1)):
        return means
    return F.interpolate(means, size=like.shape[-2:], mode='bilinear')


class PooledAverage(nn.Module):
    """Stands for a global average pooling: the mean at each pixel."""

    def __init__(self, layer: nn.AdaptiveAvgPool2d, new_pool: NewPool) -> None:
        super().__init__()
        self.pool = new_pool()

    def forward(self, x: Tensor) -> Tensor:
        return spread(self.pool(x), x)


class PooledChannelAttention(nn.Module):
    """Channel attention whose weights vary over the image."""

    def __init__(self, layer: ChannelAttention, new_pool: NewPool) -> None:
        super().__init__()
        self.layer, self.pool = layer, new_pool()

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.layer.squeeze(self.pool(x)))
        return x * spread(torch.sigmoid(self.layer.excite(hidden)), x)


class PooledSqueezeExcite(nn.Module):
    """AWNet's channel attention, whose weights vary over the image."""

    def __init__(self, layer: SqueezeExcite, new_pool: NewPool) -> None:
        super().__init__()
        self.value, self.gate, self.pool = layer.value, layer.gate[1:], new_pool()

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x) * spread(self.gate(self.pool(x)), x)


class PooledContext(nn.Module):
    """Global context whose vector varies over the image; the softmax is a ratio of two means."""

    def __init__(self, layer: GlobalContext, new_pool: NewPool) -> None:
        super().__init__()
        self.layer, self.weighted, self.weights = layer, new_pool(), new_pool()

    def forward(self, x: Tensor) -> Tensor:
        weights = self.layer.attention(x).float().clamp(max=LARGEST_LOGIT).exp()
        context = (self.weighted(x * weights) / self.weights(weights)).to(x.dtype)
        count, _, height, width = context.shape
        each = self.layer.transform(rearrange(context, 'n c h w -> (n h w) c 1 1'))
        vectors = rearrange(each, '(n h w) c 1 1 -> n c h w', n=count, h=height, w=width)
        return x + spread(vectors, x)


class PooledPyramid(nn.Module):
    """Pyramid pooling: the cells of a grid become windows of a cell's size about each pixel."""

    def __init__(self, layer: PyramidPooling, new_pool: NewPool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(stage[1:] for stage in layer.stages)
        self.pools = nn.ModuleList(new_pool(divisor=int(stage[0].output_size)) for stage in layer.stages)
        self.merge = layer.merge

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        pooled = [
            F.interpolate(convolve(pool(x)), size=size, mode='bilinear')
            for pool, convolve in zip(self.pools, self.convs, strict=True)
        ]
        return F.relu(self.merge(torch.cat([*pooled, x], 1)))


class PooledInstanceNorm(nn.Module):
    """Instance normalisation by means and variances that vary over the image."""

    def __init__(self, layer: nn.InstanceNorm2d, new_pool: NewPool) -> None:
        super().__init__()
        self.layer, self.mean, self.square = layer, new_pool(), new_pool()

    def forward(self, x: Tensor) -> Tensor:
        mean, square = self.mean(x).float(), self.square(x.float().square())
        scale = ((square - mean.square()).clamp(min=0) + self.layer.eps).rsqrt()
        shift = -mean * scale
        if self.layer.affine:
            weight, bias = (value[:, None, None] for value in (self.layer.weight, self.layer.bias))
            scale, shift = scale * weight, shift * weight + bias
        return x * spread(scale, x) + spread(shift, x)


class KnownPlace(nn.Module):
    """Stands for the guess of a patch's place: a frame's coordinates say where each pixel is."""

    def __init__(self, layer: CoordPredictor, new_pool: NewPool) -> None:
        super().__init__()

    def forward(self, raw: Tensor) -> Tensor:
        return raw.new_zeros(len(raw), 2)


# For a layer of one's own: class -> replacement(layer, new_pool), a module.
REPLACEMENTS: dict[type[nn.Module], Callable[[nn.Module, NewPool], nn.Module]] = {
    ChannelAttention: PooledChannelAttention,
    SqueezeExcite: PooledSqueezeExcite,
    GlobalContext: PooledContext,
    PyramidPooling: PooledPyramid,
    CoordPredictor: KnownPlace,
    nn.InstanceNorm2d: PooledInstanceNorm,
    nn.AdaptiveAvgPool2d: PooledAverage,
}


def has_global_layers(network: nn.Module) -> bool:
    """Whether a network has a layer that is known to look at its whole input."""
    return any(_is_global(module) for module in network.modules())


def local_version(network: nn.Module, patch_size: int, channels: int = 4) -> nn.Module:
    """A copy of a network whose statistics are taken over windows of the training patch's size (TLC).

    Windows are measured in a forward pass without data, so that they are right at every depth of the network.

    Args:
        network: Called as ``network(raw, coord)``.
        patch_size: Height and width of its input in training, in samples of that input (packed: half the patch).
        channels: Channels of its input.
    """
    local = _replaced(network, LocalMean)
    inputs = [torch.empty(1, count, patch_size, patch_size, device='meta') for count in (channels, 2)]
    state = {
        name: torch.empty_like(tensor, device='meta')
        for name, tensor in chain(local.named_parameters(), local.named_buffers())
    }
    with torch.no_grad():
        functional_call(local, state, tuple(inputs))
    return local


def frame_version(network: nn.Module) -> nn.Module:
    """A copy of a network whose statistics are those of a whole frame; see `pools.FrameStatistics`.

    Raises:
        ValueError: It has a layer for which that cannot be done.
    """
    return _replaced(network, FrameMean)


def held_version(network: nn.Module, raw: Tensor, coord: Tensor) -> nn.Module:
    """A copy of a network whose statistics are held at those of one input."""
    held = _replaced(network, HeldMean)
    with torch.no_grad():
        held(raw, coord)
    return held


def _is_global(module: nn.Module) -> bool:
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return module.output_size in (1, (1, 1))
    if isinstance(module, nn.InstanceNorm2d):
        return not module.track_running_stats
    return type(module) in REPLACEMENTS


def _replaced(network: nn.Module, new_pool: NewPool) -> nn.Module:
    """A copy in evaluation mode with the known layers replaced; weights are copied too."""
    root = nn.ModuleDict({'network': copy.deepcopy(network).eval()})
    _replace_children(root, new_pool)
    return root['network'].eval()


def _replace_children(module: nn.Module, new_pool: NewPool) -> None:
    for name, child in module.named_children():
        if _is_global(child):
            setattr(module, name, REPLACEMENTS[type(child)](child, new_pool))
        else:
            _replace_children(child, new_pool)
