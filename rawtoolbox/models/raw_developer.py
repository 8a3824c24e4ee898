"""A network that demosaics and denoises in the camera's own linear RGB; colour is arithmetic after it."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from rawtoolbox.ops.colour import linear_to_srgb
from rawtoolbox.ops.development import (
    balance_mosaic,
    condition_planes,
    decode,
    demosaic_gradient_corrected,
    encode,
    pack_cells,
)
from rawtoolbox.ops.directional import demosaic_directional
from rawtoolbox.registry import BACKBONES, MODELS

PREDICTS = 'camera_linear'
# Share of directional demosaicking in a frame without noise, and the variance of shot noise at white that
# halves it: chosen on photographs held out of training, where shares from 0.25 to 0.5 differ by 0.01 dB without noise.
SHARE, HALF_AT = 0.3, 3e-4


@MODELS.register_module()
class RawDeveloper(BaseModel):
    """A backbone that gives what a linear demosaicking of the encoded, white-balanced mosaic lacks.

    Args:
        backbone: Config of a network from (N, 4 or 12, h, w) to (N, 3, 2h, 2w).
        told: Whether it is told of saturation, noise and white balance by eight planes behind the packed ones.
        brightness: Weight of the loss on a patch's mean in linear light.
        data_preprocessor: As mmengine's; None moves the data to the device.
    """

    predicts = PREDICTS

    def __init__(
        self,
        backbone: dict[str, Any],
        told: bool = True,
        brightness: float = 0.05,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.backbone = BACKBONES.build(backbone)
        self.told, self.brightness = told, brightness
        self.to(memory_format=torch.channels_last)  # in half precision, several times faster

    def forward(
        self, inputs: dict[str, Tensor], data_samples: dict[str, Any] | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """Develops a batch.

        Args:
            inputs: ``mosaic`` (N, 1, H, W), RGGB, black = 0 and white = 1, H and W multiples of 8; ``gains`` (N, 3);
                ``noise`` (N, 2), variances of shot noise at white and of read noise.
            data_samples: ``target`` (N, 3, H, W), linear camera RGB, and ``name``.
            mode: ``'tensor'``: linear camera RGB (N, 3, H, W), white balance left out; ``'loss'``: losses by name;
                ``'predict'``: one dict an image with ``pred`` and ``target``, sRGB-encoded balanced camera RGB.

        Raises:
            ValueError: Another mode.
        """
        gains = inputs['gains'][..., None, None]
        encoded = self.develop(inputs)
        if mode == 'loss':
            return self.losses(encoded, data_samples['target'] * gains)
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', got {mode!r}.")
        encoded = self.mix(encoded, inputs)
        if mode == 'tensor':
            return decode(encoded) / gains
        images = decode(encoded), data_samples['target'] * gains
        pred, target = (linear_to_srgb(image.clamp(0, 1)) for image in images)
        rows = zip(data_samples['name'], pred, target, strict=True)
        return [{'name': name, 'pred': one, 'target': truth} for name, one, truth in rows]

    def develop(self, inputs: dict[str, Tensor]) -> Tensor:
        """White-balanced camera RGB, encoded, (N, 3, H, W)."""
        samples = encode(balance_mosaic(inputs['mosaic'], inputs['gains']))
        planes = [pack_cells(samples)]
        if self.told:
            planes.append(condition_planes(inputs['mosaic'], inputs['gains'], inputs['noise']))
        raw = torch.cat(planes, 1).contiguous(memory_format=torch.channels_last)
        return demosaic_gradient_corrected(samples) + self.backbone(raw, None).float()

    def mix(self, encoded: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        """The image with a share of directional demosaicking, the larger the less noise there is."""
        share = SHARE / (1 + inputs['noise'][:, 0].clamp(min=0) / HALF_AT)
        samples = encode(balance_mosaic(inputs['mosaic'], inputs['gains']))
        with torch.autocast(samples.device.type, enabled=False):
            return torch.lerp(encoded, demosaic_directional(samples), share[:, None, None, None])

    def losses(self, encoded: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Charbonnier's loss on square roots, and the relative error of each patch's mean in linear light."""
        error = encoded - encode(target)
        means = [image.mean((2, 3)) for image in (decode(encoded), target)]
        bias = (means[0] - means[1]).abs() / (means[1] + 0.01)
        return {
            'loss_charbonnier': (error.square() + 1e-4).sqrt().mean() * 10,
            'loss_brightness': self.brightness * bias.mean(),
        }
