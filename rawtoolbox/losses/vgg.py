"""Features of a VGG network trained on ImageNet, for the losses that compare them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.ops.constants import constant
from rawtoolbox.ops.masked import at_least_float32
from rawtoolbox.weights.imagenet import load_weights

ARCHS = ('vgg16', 'vgg19')
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


LAYER = re.compile(r'(conv|relu)([1-5])_[1-4]')


def layer_names(features: nn.Sequential) -> list[str]:
    """The field's names of a VGG's layers: ``conv1_1, relu1_1, conv1_2, relu1_2, pool1, conv2_1, ...``."""
    names, block, number = [], 1, 0
    for module in features:
        if isinstance(module, nn.MaxPool2d):
            names.append(f'pool{block}')
            block, number = block + 1, 0
        elif isinstance(module, nn.Conv2d):
            number += 1
            names.append(f'conv{block}_{number}')
        else:
            names.append(f'relu{block}_{number}')
    return names


def nearest_layer(layer: str, names: list[str]) -> str:
    """The layer itself or, where its block is shorter (VGG-16 has no relu5_4), the last of that block.

    >>> nearest_layer('relu1_4', ['conv1_1', 'relu1_1', 'conv1_2', 'relu1_2', 'pool1'])
    'relu1_2'
    """
    return max(name for name in names if name[:-1] == layer[:-1] and name <= layer)


def load_vgg(arch: str) -> nn.Sequential:
    """The convolutions of a VGG with its ImageNet weights: frozen, on the CPU, in float32.

    Raises:
        FileNotFoundError: Its weights are nowhere to be had.
    """
    import timm

    weights = {key.removeprefix('features.'): value for key, value in load_weights(arch).items()}
    with torch.device('meta'):  # else timm would spend seconds on filling the classifier, which is dropped
        features = timm.create_model(arch, pretrained=False).features
    features.load_state_dict(weights, assign=True)
    for module in features:
        if isinstance(module, nn.ReLU):
            module.inplace = False  # the output of the convolution before it may be asked for
    return features.requires_grad_(False).eval()


class VGGFeatures:
    """Chosen layers of an ImageNet-trained VGG.

    A plain object and not a module, so that 20 million frozen numbers of somebody else neither enter the
    checkpoints nor are asked for when one is loaded, and so that no optimiser, moving average or wrapper for
    distributed training handles them. The network is loaded by the first call and follows its input to the
    device.

    Args:
        arch: ``'vgg19'`` or ``'vgg16'``, or several: the first whose weights can be found.
        layers: Names such as ``'relu5_4'`` or ``'conv3_2'`` (before the ReLU); see ``nearest_layer`` for
            those that VGG-16 lacks.
        missing: What happens without weights. ``'error'``; or ``'skip'``: one warning, and no features.

    Raises:
        ValueError: An argument is none of these.
    """

    def __init__(
        self,
        arch: str | Sequence[str] = 'vgg19',
        layers: Sequence[str] = ('relu5_4',),
        missing: Literal['error', 'skip'] = 'error',
    ) -> None:
        self.archs = (arch,) if isinstance(arch, str) else tuple(arch)
        if not self.archs or not set(self.archs) <= set(ARCHS):
            raise ValueError(f'arch: expected one or more of {", ".join(ARCHS)}, found {arch!r}.')
        if wrong := [layer for layer in layers if not LAYER.fullmatch(layer)]:
            raise ValueError(f"layers: expected names such as 'relu5_4' or 'conv3_2', found {wrong[0]!r}.")
        if missing not in ('error', 'skip'):
            raise ValueError(f"missing: expected 'error' or 'skip', found {missing!r}.")
        self.layers, self.missing = tuple(layers), missing
        self.least_size = 2 ** (max(int(LAYER.fullmatch(layer)[2]) for layer in layers) - 1)
        self.network: nn.Sequential | None = None
        self.skipped = False

    def __call__(self, images: Tensor) -> list[Tensor] | None:
        """Features of a batch of images.

        Args:
            images: RGB in [0, 1], (N, 3, H, W).

        Returns:
            For each layer (N, C, H / stride, W / stride) in float32 or better; None when skipped.

        Raises:
            FileNotFoundError: There are no weights, and ``missing='error'``.
            ValueError: The images have another shape, or are too small for the deepest layer.
        """
        check_shape(images, '_ 3 _ _', 'images')
        if min(images.shape[-2:]) < self.least_size:
            size = 'x'.join(map(str, images.shape[-2:]))
            raise ValueError(f'images: {self.layers} need {self.least_size} pixels each way, found {size}.')
        if self.network is None and not self.skipped:
            self.network = self._load()
        if self.skipped:
            return None
        images = normalise(at_least_float32(images))
        network = self.network.to(images.device, images.dtype)
        found, wanted = {}, [nearest_layer(layer, layer_names(network)) for layer in self.layers]
        for name, module in zip(layer_names(network), network, strict=True):
            images = module(images)
            if name in wanted:
                found[name] = at_least_float32(images)
            if len(found) == len(set(wanted)):
                break
        return [found[name] for name in wanted]

    def compare(
        self,
        pred: Tensor,
        target: Tensor,
        distance: Callable[[Tensor, Tensor], Tensor],
        weights: Sequence[float] = (1.0,),
    ) -> Tensor:
        """Weighted sum over the layers of a distance of features; zero when skipped.

        Args:
            pred: Images, (N, 3, H, W) in [0, 1].
            target: Images of the same shape; they get no gradient.
            distance: From two feature maps (N, C, h, w) to a scalar.
            weights: One per layer.

        Returns:
            A scalar.
        """
        with torch.no_grad():
            goals = self(target)
        if goals is None:
            return at_least_float32(pred).new_zeros(())
        terms = zip(weights, self(pred), goals, strict=True)
        return sum(weight * distance(found, goal) for weight, found, goal in terms)

    def _load(self) -> nn.Sequential | None:
        """Loads the first network whose weights can be found; without any, raises or warns."""
        reasons = []
        for arch in self.archs:
            try:
                return load_vgg(arch)
            except FileNotFoundError as error:
                reasons.append(str(error))
        if self.missing == 'error':
            raise FileNotFoundError(
                f"{' '.join(reasons)} To train without this loss, give it missing='skip'."
            )
        self.skipped = True
        warning = (
            f'NO VGG FEATURES: a loss that needs them is left out (zero) from here on. {" ".join(reasons)}'
        )
        print_log(warning, logger='current', level=logging.WARNING)
        return None


def normalise(images: Tensor) -> Tensor:
    """RGB in [0, 1] with ImageNet's mean taken off, over its standard deviation."""
    mean, std = constant(MEAN, images), constant(STD, images)
    return (images - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1)
