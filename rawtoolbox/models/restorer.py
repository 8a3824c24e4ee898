"""The joint model: a backbone learns from a target that an aligner lines up with the raw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from rawtoolbox.aligners import Aligned, FlowAligner
from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.layers.checkpointing import set_checkpointing
from rawtoolbox.models.ensemble import ensemble_x8
from rawtoolbox.models.supervision import Resize, build_losses, compare, fit_references
from rawtoolbox.ops.colour import gamma_encode
from rawtoolbox.registry import ALIGNERS, BACKBONES, MODELS, build_component
from rawtoolbox.weights.carried import load_aligner
from rawtoolbox.weights.checkpoint import ALIGNER, checkpoint_id


@MODELS.register_module()
class RawRestorer(BaseModel):
    """RAW-to-sRGB mapping with inaccurately aligned supervision (Zhang et al., ICCV 2021, Figure 2).

    The aligner, its colour mapper and the losses serve training; a published checkpoint holds the backbone alone.

    Args:
        backbone: Config of the network that is wanted, from raw to sRGB.
        aligner: Config of what lines the target up with the raw; None compares with the target as it is.
        losses: Configs by name; each is logged as ``loss_<name>``. An entry of None is left out.
        head_losses: Likewise for each further image that the backbone's ``forward_heads`` gives (AWNet's coarser
            scales, SPSR's gradient branch), in its order; logged as ``loss_<name>_<number>``.
        target_resize: How the target is brought to the size of an image smaller than it; see ``fit_target``.
        data_preprocessor: Config of the preprocessor; it is told the backbone's input convention.
        aligner_checkpoint: A training run's checkpoint whose aligner serves *Align GT with raw* instead of this
            model's own.
        tta: Whether to predict by the x8 self-ensemble.
        channels_last: Whether networks compute with channels last in memory, which suits half precision on CPUs and
            GPUs.
        checkpointing: Whether the backbone computes activations again in the backward pass instead of keeping them:
            less memory, more time. See ``set_checkpointing``.
        compile_networks: Whether backbone and colour mapper are compiled by ``torch.compile`` when first called: a
            minute or more, and again for every new size of image.
        init_cfg: As mmengine's.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        aligner: dict[str, Any] | None = None,
        losses: dict[str, dict[str, Any] | None] | None = None,
        head_losses: Sequence[dict[str, dict[str, Any] | None]] = (),
        target_resize: Resize = 'bilinear',
        data_preprocessor: dict[str, Any] | None = None,
        aligner_checkpoint: str | None = None,
        tta: bool = False,
        channels_last: bool = False,
        checkpointing: bool = False,
        compile_networks: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        network = BACKBONES.build(backbone)
        raw_input = getattr(network, 'raw_input', RawInput())
        preprocessor = build_component(
            data_preprocessor or {'type': 'RawPreprocessor'}, MODELS, raw_input=raw_input
        )
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)
        self.backbone = network
        self.raw_input = raw_input
        self.aligner = ALIGNERS.build(aligner) if aligner else None
        self.set_losses(losses)
        self.head_losses = nn.ModuleList(build_losses(each) for each in head_losses)
        self.target_resize = target_resize
        if head_losses and not hasattr(network, 'forward_heads'):
            raise ValueError(f'head_losses: {type(network).__name__} gives one image only; leave them out.')
        self.tta = tta
        # In a list, and so neither in the state dict nor trained: it is another run's.
        self.reference_aligner = [load_aligner(aligner_checkpoint).eval()] if aligner_checkpoint else []
        self.aligner_id = checkpoint_id(aligner_checkpoint) if aligner_checkpoint else None
        self.aligner_untrained = False
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)
        if checkpointing:
            set_checkpointing(network)
        if compile_networks:
            compile_parts(network, getattr(self.aligner, 'colour_mapper', None))

    def forward(
        self, inputs: dict[str, Tensor], data_samples: dict[str, Any] | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """Runs the backbone, and with it what the mode asks for.

        Args:
            inputs: ``raw``, ``coord``, ``source``, ``source_coord`` and, where the output is to be white balanced,
                ``gain``, as the preprocessor makes them.
            data_samples: ``target`` and, where known, the truth.
            mode: ``'tensor'``: the image (N, 3, sH, sW); ``'loss'``: losses by name; ``'predict'``: one dict an image.

        Raises:
            ValueError: Another mode.
        """
        inputs, data_samples = (
            in_format(images, self.memory_format) for images in (inputs, data_samples or {})
        )
        if mode == 'tensor':
            return white_balance(self.backbone(inputs['raw'], inputs['coord']), inputs)
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode is 'tensor', 'loss' or 'predict', got {mode!r}.")

    def note_loaded(self, names: set[str], checkpoint: str | None) -> None:
        """Notes whose weights are about to be loaded, so that results can say what aligned.

        Args:
            names: Names of the loaded weights; a published checkpoint has none of the aligner's.
            checkpoint: Name and hash of the checkpoint.
        """
        if self.reference_aligner or self.aligner is None:
            return
        self.aligner_untrained = bool(self.aligner.state_dict()) and not any(
            n.startswith(ALIGNER) for n in names
        )
        self.aligner_id = checkpoint

    def set_losses(self, losses: dict[str, dict[str, Any] | None] | None) -> None:
        """Replaces the losses of the backbone's image, as training level by level does."""
        self.losses = build_losses(losses)

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, Any]) -> dict[str, Tensor]:
        """Eq. 11: the backbone's losses against the aligned target, and the colour mapper's own."""
        return self.supervise(*self.develop(inputs, data_samples['target']))

    def develop(self, inputs: dict[str, Tensor], target: Tensor) -> tuple[list[Tensor], Aligned]:
        """All supervised images, the wanted one first, and the target lined up with the source."""
        if self.head_losses:
            images = self.backbone.forward_heads(inputs['raw'])
        else:
            images = [self.backbone(inputs['raw'], inputs['coord'])]
        images = [white_balance(image, inputs) for image in images]
        if self.aligner is None:
            return images, Aligned(target, torch.ones_like(target[:, :1]))
        self.aligner_untrained = False  # from now on it learns, and validation may ask it
        return images, self.aligner(inputs['source'], target, inputs['source_coord'], images[0])

    def supervise(self, images: list[Tensor], aligned: Aligned) -> dict[str, Tensor]:
        """The losses of all images against the aligned target, and the colour mapper's own.

        Raises:
            ValueError: The backbone gave more or fewer images than there are losses for.
        """
        heads = [self.losses, *self.head_losses]
        if len(images) != len(heads):
            raise ValueError(
                f'head_losses: expected one dict for each of the {len(images) - 1} further images of '
                f'{type(self.backbone).__name__}, found {len(heads) - 1}.'
            )
        losses = {}
        for index, (image, terms) in enumerate(zip(images, heads, strict=True)):
            suffix = f'_{index}' if index else ''
            values = compare(image, aligned, terms, self.target_resize)
            losses |= {f'loss_{name}{suffix}': value for name, value in values.items()}
        return losses if self.aligner is None else losses | self.aligner.loss(aligned)

    def predict(self, inputs: dict[str, Tensor], data_samples: dict[str, Any]) -> list[dict[str, Any]]:
        """Predicted images with everything that metrics and pictures compare them to, one dict an image."""
        if self.tta:
            raw_input = getattr(self.backbone, 'raw_input', self.raw_input)  # PyNET's changes with its level
            pred = ensemble_x8(self.backbone, inputs['raw'], inputs['source_coord'], raw_input)
        else:
            pred = self.backbone(inputs['raw'], inputs['coord'])
        pred = white_balance(pred, inputs).float().clamp(0, 1)
        batch = {'pred': pred, 'baseline': gamma_encode(inputs['source']).clamp(0, 1)}
        if 'target' in data_samples:
            batch |= fit_references(self._references(inputs, data_samples, pred), pred.shape[-2:])
        names = data_samples.get('meta', {}).get('name') or [str(index) for index in range(len(pred))]
        return [
            {
                'name': str(name),
                'aligner': self.aligner_id,
                **{k: v[i] for k, v in batch.items() if v is not None},
            }
            for i, name in enumerate(names)
        ]

    def _references(
        self, inputs: dict[str, Tensor], data_samples: dict[str, Any], pred: Tensor
    ) -> dict[str, Tensor | None]:
        """The target, the aligned target and, where the data set knows it, the truth."""
        target = data_samples['target']
        truth = {'exact_target': 'aligned', 'true_flow': 'flow', 'flow_valid': 'flow_valid'}
        batch = {'target': target, **{name: data_samples.get(key) for name, key in truth.items()}}
        aligner = self.reference_aligner[0].to(target) if self.reference_aligner else self.aligner
        if aligner is None or (aligner is self.aligner and self.aligner_untrained):
            return batch
        aligned = aligner(inputs['source'], target, inputs['source_coord'], pred)
        if aligned.flow is None or getattr(aligner, 'reference', None) == 'output':
            return batch  # nothing was aligned with the raw
        batch |= {'aligned_target': aligned.target, 'aligned_mask': aligned.mask}
        batch |= {'flow': aligned.flow, 'mapped': aligned.mapped}
        if batch['true_flow'] is not None and isinstance(aligner, FlowAligner):
            batch['flow_raw'] = aligner.estimate_from_raw(inputs['source'], target)
        return batch


def white_balance(image: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """A backbone's image (N, 3, H, W) times the gains of its channels, where the batch has them (SR-RAW)."""
    return image * inputs['gain'] if 'gain' in inputs else image


def in_format(images: dict[str, Any], memory_format: torch.memory_format) -> dict[str, Any]:
    """Images (N, C, H, W) among the entries in a memory format; other entries as they are."""
    if memory_format == torch.contiguous_format:
        return images
    return {
        key: value.contiguous(memory_format=memory_format)
        if isinstance(value, Tensor) and value.ndim == 4
        else value
        for key, value in images.items()
    }


def compile_parts(*networks: nn.Module | None) -> None:
    """Has networks compiled in place when they are first called, each alone: their names in checkpoints stay."""
    for network in networks:
        if network is not None:
            network.compile()
