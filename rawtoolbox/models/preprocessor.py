"""From sensor values and photographs to what a network and an aligner take: on the device, batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.ops.augment import dihedral, dihedral_bayer, random_crop_window
from rawtoolbox.ops.bayer import pack_mosaic, parse_cfa, rephase_to_rggb
from rawtoolbox.ops.checks import check_shape
from rawtoolbox.ops.coord import batch_coord_maps, pack_coord
from rawtoolbox.ops.demosaic import demosaic_bilinear, resize_planes
from rawtoolbox.ops.levels import normalize_levels
from rawtoolbox.registry import MODELS

GAMMA = 2.2
Flips = list[tuple[bool, bool, bool]]  # per image: horizontal, vertical, transpose


@MODELS.register_module()
class RawPreprocessor(BaseDataPreprocessor):
    """Crops, flips, removes the levels, packs, demosaics and locates a batch of raw patches.

    Args:
        black_level: Sensor value of black: one, or four in the 2x2 order of the CFA.
        white_level: Sensor value of white. Zurich data set: 63 and 4 * 255 in the official code.
        cfa: CFA pattern of the mosaics from pixel (0, 0); all but RGGB lose a row or column at either end.
        raw_input: The backbone's input convention; filled in by the restorer.
        crop_size: Side of random training crops in sensor pixels, even; None for whole patches.
        augment: Training flips and transposition: ``'bayer'`` keeps the mosaic's phase (and moves the target
            likewise); ``'official'`` flips the packed planes as the official code does, which leaves the red
            plane one pixel away from the target; None for none.
        coord: What coordinates tell: ``'patch'``: the place in the patch (released code); ``'frame'``: the place
            in the sensor's frame where the data set knows it (what the paper means by vignetting).
        demosaic_border: As in :func:`~rawtoolbox.ops.demosaic.demosaic_bilinear`.

    Raises:
        ValueError: An argument has none of these values.
    """

    def __init__(
        self,
        black_level: float | Sequence[float] = 63,
        white_level: float = 1020,
        cfa: str = 'RGGB',
        raw_input: RawInput | None = None,
        crop_size: int | None = None,
        augment: Literal['bayer', 'official'] | None = None,
        coord: Literal['patch', 'frame'] = 'patch',
        demosaic_border: str = 'reflect',
    ) -> None:
        super().__init__(non_blocking=True)
        if augment not in ('bayer', 'official', None):
            raise ValueError(f"augment is 'bayer', 'official' or None, got {augment!r}.")
        if coord not in ('patch', 'frame'):
            raise ValueError(f"coord is 'patch' or 'frame', got {coord!r}.")
        if crop_size is not None and (crop_size < 16 or crop_size % 2):
            raise ValueError(f'crop_size must be even and at least 16, got {crop_size}.')
        self.black_level = black_level
        self.white_level = white_level
        self.cfa = parse_cfa(cfa)
        self.raw_input = raw_input or RawInput()
        self.crop_size = crop_size
        self.augment = augment
        self.coord = coord
        self.demosaic_border = demosaic_border

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepares a collated batch.

        Args:
            data: ``inputs.mosaic`` (N, 1, H, W) uint16 and, as far as the data set has them, ``white_balance`` (N, 3)
                and ``rgb`` (N, 3, H, W) uint8, the same in sRGB; ``rgb`` alone does for a network that takes it.
                ``data_samples`` with images (N, 3, sH, sW) uint8 under ``target`` and, where the truth is known,
                ``aligned`` and ``flow``; ``meta``.
            training: Whether to crop and flip.

        Returns:
            ``inputs`` with ``raw``, ``coord``, ``source`` and ``source_coord``, and ``data_samples`` with images in
            [0, 1]; shapes as in ``docs/design.md``. With a white balance the source is balanced, and ``gain``
            (N, 3, 1, 1) is what a backbone's output from the raw, which is not, is to be multiplied by.
        """
        data = self.cast_data(data)
        if 'mosaic' not in data['inputs']:
            return self._from_srgb(data, training)
        mosaic = data['inputs']['mosaic'].to(torch.float32)
        check_shape(mosaic, 'N 1 H W', 'mosaic')
        samples = dict(data.get('data_samples') or {})
        images = {
            key: samples[key].to(torch.float32) / 255 for key in ('target', 'aligned') if key in samples
        }
        if self.raw_input.layout == 'rgb' and 'rgb' in data['inputs']:
            images['rgb'] = data['inputs']['rgb'].to(torch.float32) / 255
        maps = self._coord_maps(samples.get('meta'), mosaic)
        if self.cfa != 'RGGB':
            images |= {key: samples[key] for key in ('flow', 'flow_valid') if key in samples}
            mosaic, maps, images = self._rephase(mosaic, maps, images)
        if training and self.crop_size:
            mosaic, maps, images = self._crop(mosaic, maps, images)
        flips = self._draw_flips(mosaic) if training and self.augment else []
        if flips and self.augment == 'bayer':
            mosaic, maps = _flip(dihedral_bayer, mosaic, flips), _flip(dihedral_bayer, maps, flips)
            images = {
                key: _flip(dihedral_bayer, image, flips, scale=image.shape[-1] // mosaic.shape[-1])
                for key, image in images.items()
            }
        inputs = self._develop(mosaic, maps, images.pop('rgb', None))
        if 'white_balance' in data['inputs']:
            inputs |= self._balance(inputs['source'], data['inputs']['white_balance'])
        if flips and self.augment == 'official':
            inputs = {k: v if k == 'gain' else _flip(dihedral, v, flips) for k, v in inputs.items()}
            images = {key: _flip(dihedral, image, flips) for key, image in images.items()}
        return {'inputs': inputs, 'data_samples': {**samples, **images}}

    def _coord_maps(self, meta: dict[str, Any] | None, mosaic: Tensor) -> Tensor:
        """Coordinates of the sensor's pixels, (N, 2, H, W)."""
        count, (height, width) = len(mosaic), mosaic.shape[-2:]
        origins = torch.zeros(count, 2)
        frames = torch.tensor([[height, width]]).expand(count, 2)
        if self.coord == 'frame' and meta is not None:
            origins, frames = _pairs(meta['origin']), _pairs(meta['frame_size'])
        return batch_coord_maps(height, width, origins, frames, device=mosaic.device)

    def _rephase(
        self, mosaic: Tensor, maps: Tensor, images: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The part of every image in which the mosaic is RGGB."""
        width = mosaic.shape[-1]
        cut = {
            key: rephase_to_rggb(image, self.cfa, image.shape[-1] // width) for key, image in images.items()
        }
        return rephase_to_rggb(mosaic, self.cfa), rephase_to_rggb(maps, self.cfa), cut

    def _crop(
        self, mosaic: Tensor, maps: Tensor, images: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The same random window of every image of a sample; windows begin at even sensor pixels."""
        height, width = mosaic.shape[-2:]
        windows = [random_crop_window(height, width, self.crop_size) for _ in mosaic]
        scale = {key: image.shape[-1] // width for key, image in images.items()}
        cut = {key: _window(image, windows, self.crop_size, scale[key]) for key, image in images.items()}
        return _window(mosaic, windows, self.crop_size), _window(maps, windows, self.crop_size), cut

    def _draw_flips(self, mosaic: Tensor) -> Flips:
        """Independent fair draws per image; no transposition where it would change the shape."""
        draws = torch.rand(len(mosaic), 3) < 0.5
        if mosaic.shape[-1] != mosaic.shape[-2]:
            draws[:, 2] = False
        return [tuple(draw) for draw in draws.tolist()]

    def _from_srgb(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        """An sRGB image as a network that takes one wants it; its linear light stands for the source."""
        if self.raw_input.layout != 'rgb' or training:
            raise ValueError(
                'inputs: expected a mosaic, found none. An sRGB image alone serves only to test networks that take '
                'sRGB images.'
            )
        image = data['inputs']['rgb'].to(torch.float32) / 255
        samples = dict(data.get('data_samples') or {})
        maps = self._coord_maps(samples.get('meta'), image)
        if 'target' in samples:
            samples['target'] = samples['target'].to(torch.float32) / 255
        inputs = {'raw': image, 'coord': maps, 'source': image**GAMMA, 'source_coord': maps}
        return {'inputs': inputs, 'data_samples': samples}

    def _balance(self, source: Tensor, gains: Tensor) -> dict[str, Tensor]:
        """The source white balanced, and what the output is multiplied by: Zhang et al. balance the output."""
        gains = check_gains(gains, len(source)).to(source)[..., None, None]
        balanced = {'source': source * gains}
        return balanced if self.raw_input.layout == 'rgb' else {**balanced, 'gain': gains ** (1 / GAMMA)}

    def _develop(self, mosaic: Tensor, maps: Tensor, rgb: Tensor | None = None) -> dict[str, Tensor]:
        """The backbone's input and the aligner's, from sensor values and, where there is one, the sRGB image."""
        linear = normalize_levels(mosaic, self.black_level, self.white_level)
        source = demosaic_bilinear(linear, border=self.demosaic_border)
        form = self.raw_input
        if form.layout == 'packed':
            plane = linear if form.subtract_black else mosaic / self.white_level
            raw, coord = pack_mosaic(plane, order=form.order), pack_coord(maps)
        elif form.layout == 'plane_resized':
            raw, coord = resize_planes(mosaic), maps
        elif form.layout == 'packed_told':
            raise ValueError(
                'This backbone is told of noise and white balance, which pairs do not carry: train it by RawDeveloper, '
                'or set told=False.'
            )
        elif rgb is not None:
            raw, coord = rgb, maps
        else:
            raise ValueError(
                'This backbone takes an sRGB image, and cannot be fed from a mosaic: let the data set deliver the '
                "camera's photo (SRRAWDataset: with_rgb=True)."
            )
        if form.clip:
            raw = raw.clamp(max=1)
        return {'raw': raw, 'coord': coord, 'source': source, 'source_coord': maps}


def check_gains(gains: Tensor, count: int) -> Tensor:
    """White-balance gains (N, 3), all positive.

    Raises:
        ValueError: They are not.
    """
    check_shape(gains, f'{count} 3', 'white_balance')
    if not (gains > 0).all():
        raise ValueError(f'white_balance: expected positive gains, found {gains.tolist()}.')
    return gains


def _flip(transform: Callable[..., Tensor], images: Tensor, flips: Flips, **arguments: int) -> Tensor:
    return torch.cat(
        [transform(image[None], *flip, **arguments) for image, flip in zip(images, flips, strict=True)]
    )


def _window(images: Tensor, windows: list[tuple[int, int]], size: int, scale: int = 1) -> Tensor:
    size = size * scale
    return torch.stack(
        [
            image[..., y * scale : y * scale + size, x * scale : x * scale + size]
            for image, (y, x) in zip(images, windows, strict=True)
        ]
    )


def _pairs(values: Any) -> Tensor:
    """(N, 2) from what collating N pairs of integers gave: two tensors of N, or one (N, 2) tensor."""
    return (
        values
        if isinstance(values, Tensor)
        else torch.stack([torch.as_tensor(value) for value in values], dim=1)
    )
