"""Learned perceptual image patch similarity, version 0.1 with AlexNet (Zhang et al., CVPR 2018)."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.metrics.levels import MaskForm, quantise_pair
from rawtoolbox.weights.imagenet import load_weights

LEAST_SIZE = 32  # pixels each way that AlexNet's convolutions and pools need


def load_lpips(device: torch.device | str = 'cpu') -> nn.Module:
    """The network of the ``lpips`` package, with its own linear heads and torchvision's AlexNet.

    Raises:
        FileNotFoundError: AlexNet's weights are nowhere to be had; the message says where to put them.
    """
    import lpips as package

    trunk = load_weights('alexnet')
    with warnings.catch_warnings():  # about how the package calls torchvision
        warnings.filterwarnings('ignore', category=UserWarning, module=r'torchvision\.models\._utils')
        network = package.LPIPS(net='alex', version='0.1', pnet_rand=True, verbose=False)
    # the package cuts torchvision's features into slices but keeps their numbers: slice1.0, slice2.3, ...
    places = {name.partition('.')[2]: name for name in network.net.state_dict()}
    state = {places[key.removeprefix('features.')]: value for key, value in trunk.items()}
    network.net.load_state_dict(state)
    return network.to(device).eval().requires_grad_(False)


@torch.no_grad()
def lpips(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    mask_form: MaskForm = 'counted',
    network: nn.Module | None = None,
) -> float:
    """Perceptual distance of two images, after rounding to 8 bit.

    Args:
        pred: Prediction, (3, H, W) in [0, 1] or uint8, 32 pixels each way or more.
        target: Target, likewise.
        mask: 1 where the target is valid, (1, H, W), or None. In both forms the images are zero outside.
        mask_form: ``'counted'``: the mean over each layer is over all positions, as in the official code;
            ``'excluded'``: each position counts by the share of its pixels that is valid.
        network: What ``load_lpips`` returned; None loads it, on the device of ``pred``.

    Returns:
        A distance, 0 for equal images; NaN where no pixel is valid and none may count.

    Raises:
        FileNotFoundError: The weights of AlexNet are nowhere to be had.
        ValueError: A shape, a value or ``mask_form`` does not fit.
    """
    pred, target = quantise_pair(pred, target, mask, mask_form)
    if pred.shape[0] != 3 or min(pred.shape[-2:]) < LEAST_SIZE:
        shape = tuple(pred.shape)
        raise ValueError(
            f'pred: LPIPS needs 3 channels and {LEAST_SIZE} pixels each way or more, found {shape}.'
        )
    weight = None
    if mask is not None and mask_form == 'excluded':
        pred, target, weight = pred * mask, target * mask, mask[None].to(pred)
    network = load_lpips(pred.device) if network is None else network
    layers = _distances(network, *(image[None] / 127.5 - 1 for image in (pred, target)))
    return sum(_mean(distance, weight) for distance in layers)


def _distances(network: nn.Module, first: Tensor, second: Tensor) -> list[Tensor]:
    """The weighted squared distance of normalised features at every position of every layer, (1, 1, h, w)."""
    import lpips as package

    dtype = next(network.parameters()).dtype
    features = [network.net(network.scaling_layer(image.to(dtype))) for image in (first, second)]
    normalised = [[package.normalize_tensor(layer) for layer in layers] for layers in features]
    return [head((a - b) ** 2) for head, a, b in zip(network.lins, *normalised, strict=True)]


def _mean(distance: Tensor, weight: Tensor | None) -> float:
    if weight is None:
        return distance.double().mean().item()
    weight = F.adaptive_avg_pool2d(weight, distance.shape[-2:])
    return ((distance * weight).sum() / weight.sum()).item()
