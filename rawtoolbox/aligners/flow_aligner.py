"""Alignment of the target by optical flow."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.aligners.base import Aligned
from rawtoolbox.losses.pixel import Form, masked_l1
from rawtoolbox.ops.checks import check_finite, check_shape
from rawtoolbox.ops.colour import gamma_encode, match_exposure
from rawtoolbox.ops.colour_fit import fit_colours
from rawtoolbox.ops.masked import at_least_float32
from rawtoolbox.ops.resize import Form as ResizeForm
from rawtoolbox.ops.resize import shrink, shrink_masked
from rawtoolbox.ops.warp import Scaling, backward_warp, forward_backward_mask, resize_flow, valid_mask
from rawtoolbox.registry import ALIGNERS, FLOW_ESTIMATORS

Precision = Literal['float32', 'bfloat16']
Reference = Literal['mapped', 'raw', 'output']
REFERENCES = ('mapped', 'raw', 'output')


@ALIGNERS.register_module()
class FlowAligner(nn.Module):
    """Warps the target onto the source by a flow that an image in the source's place is given to find.

    Zhang et al., *Learning RAW-to-sRGB Mappings with Inaccurately Aligned Supervision*, ICCV 2021, Eqs. 2 to 6
    and, for a target larger than the source, supplement E. What the image is makes the rows of table 3:

    - ``'mapped'``: the source as the colour mapper sees it, the proposed way;
    - ``'raw'``: the gamma-encoded source, its brightness brought to the target's;
    - ``'output'``: the backbone's prediction.

    Two options go beyond the paper; their numbers are in ``docs/experiments_alignment.md``.

    Args:
        flow_estimator: Config of a flow estimator, or one that is built. It is not trained and not part of the
            state dict: it brings its own weights.
        colour_mapper: Config of a colour mapper, or one that is built; it is trained by :meth:`loss`. None
            leaves it out.
        reference: The image that the target is aligned with, see above.
        scaling: How the warp reads the flow: ``'pixel'``, or ``'official'``, 0.2% too far; see ``backward_warp``.
        eps: What a pixel's coverage may lack of 1 (Eq. 6).
        loss_form: How the colour mapper's loss treats the mask; see ``masked_mean``.
        colour_fit: How often the flow is found anew from the source in colours that are fitted to the target as
            the flow before warps it; see ``fit_colours``. One is enough; it serves ``'raw'`` too, which then
            needs no training.
        consistency: Whether the mask also leaves out where the flow from the target back does not return; it
            costs a second flow. See ``forward_backward_mask``.
        flow_precision: In what the flow estimator's convolutions compute: ``'float32'``, or ``'bfloat16'``, which
            takes less time and memory and moves the flow a little (``docs/fast_training.md``).
        resize: How images, masks and flow are brought to another size: ``'antialiased'`` or ``'official'``; see
            ``shrink_masked``.
        clamp: Whether images are clamped to [0, 1] before the flow is estimated. The official code does not.

    Raises:
        ValueError: Another ``reference``, ``'mapped'`` without a colour mapper, or a negative ``colour_fit``.
    """

    def __init__(
        self,
        flow_estimator: dict[str, Any] | nn.Module,
        colour_mapper: dict[str, Any] | nn.Module | None = None,
        reference: Reference = 'mapped',
        scaling: Scaling = 'pixel',
        eps: float = 1e-3,
        loss_form: Form = 'official',
        colour_fit: int = 0,
        consistency: bool = False,
        flow_precision: Precision = 'float32',
        resize: ResizeForm = 'antialiased',
        clamp: bool = True,
    ) -> None:
        super().__init__()
        if reference not in REFERENCES:
            raise ValueError(f'reference: expected one of {", ".join(REFERENCES)}, found {reference!r}.')
        if reference == 'mapped' and colour_mapper is None:
            raise ValueError("reference='mapped' needs a colour_mapper; 'raw' and 'output' do without.")
        if colour_fit < 0:
            raise ValueError(f'colour_fit: expected a number of passes of at least 0, found {colour_fit}.')
        if resize not in ('antialiased', 'official'):
            raise ValueError(f"resize: expected 'antialiased' or 'official', found {resize!r}.")
        self.flow_estimator = FrozenFlow(FLOW_ESTIMATORS.build(flow_estimator), flow_precision, clamp)
        self.colour_mapper = ALIGNERS.build(colour_mapper) if colour_mapper is not None else None
        self.reference, self.scaling, self.eps, self.loss_form = reference, scaling, eps, loss_form
        self.colour_fit, self.consistency, self.resize = colour_fit, consistency, resize

    def forward(
        self, source: Tensor, target: Tensor, coord: Tensor, prediction: Tensor | None = None
    ) -> Aligned:
        """Lines the target up with the source.

        Args:
            source: Demosaicked raw, linear, (N, 3, H, W).
            target: sRGB image of the scene, (N, 3, sH, sW) in [0, 1].
            coord: Coordinates of the source's pixels, (N, 2, H, W).
            prediction: The backbone's output, (N, 3, sH, sW); needed with ``reference='output'``.

        Returns:
            The aligned target and its mask, neither with a gradient, the flow in the source's pixels, and the
            mapped source (None without a colour mapper), whose gradient reaches the colour mapper.

        Raises:
            ValueError: Shapes that do not fit, values that are not finite, or no prediction where one is needed.
        """
        sizes = check_shape(source, 'N 3 H W', 'source')
        check_shape(target, f'{sizes["N"]} 3 _ _', 'target')
        target = target.detach()
        small = shrink(target, (sizes['H'], sizes['W']), self.resize)
        encoded = gamma_encode(source.detach())
        mapped = None if self.colour_mapper is None else self.colour_mapper(encoded, small, coord)
        reference = self._reference(encoded, small, mapped, prediction)
        flow = self.flow_estimator(reference, small)
        for _ in range(self.colour_fit):
            with torch.autocast(source.device.type, enabled=False):
                reference = fit_colours(encoded.clamp(max=1), *self.warp(small, flow), coord)
            flow = self.flow_estimator(reference, small)
        warped, mask = self.warp(target, flow)
        if self.consistency:
            returns = forward_backward_mask(flow, self.flow_estimator(small, reference))
            mask = mask * F.interpolate(returns, mask.shape[-2:])
            warped = warped * mask
        return Aligned(warped, mask, flow, mapped)

    def loss(self, aligned: Aligned) -> dict[str, Tensor]:
        """The colour mapper's loss: L1 between mapped source and aligned target, where that is valid (Eq. 5)."""
        if aligned.mapped is None:
            return {}
        target, mask = aligned.target, aligned.mask
        size = aligned.mapped.shape[-2:]
        if target.shape[-2:] != size:
            target, mask = shrink_masked(target, mask, size, self.resize, self.eps)
        return {'loss_gcm': masked_l1(aligned.mapped, target, mask, self.loss_form)}

    def estimate_from_raw(self, source: Tensor, target: Tensor) -> Tensor:
        """The flow that ``reference='raw'`` would give, (N, 2, H, W): what the colour mapper is measured against."""
        small = shrink(target, source.shape[-2:], self.resize)
        return self.flow_estimator(match_exposure(gamma_encode(source), small), small)

    def warp(self, target: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """The target warped by the flow, zero where it is unknown, and the mask that says where (Eqs. 4, 6)."""
        return warp_target(target, flow, self.scaling, self.eps, self.resize)

    def _reference(
        self, encoded: Tensor, target: Tensor, mapped: Tensor | None, prediction: Tensor | None
    ) -> Tensor:
        """The image in the source's place that the flow starts from, at the source's size."""
        if self.reference == 'mapped':
            return mapped
        if self.reference == 'raw':
            return match_exposure(encoded, target)
        if prediction is None:
            raise ValueError(
                "reference='output' needs the prediction: pass what the backbone made of this raw."
            )
        return shrink(prediction, encoded.shape[-2:], self.resize)


class FrozenFlow:
    """A flow estimator as a plain object: outside the state dict, the optimiser's and ``train()``'s reach.

    Args:
        estimator: Flow estimator with its weights.
        precision: In what its convolutions compute.
        clamp: Whether images are clamped to [0, 1] first.

    Raises:
        ValueError: Another precision.
    """

    def __init__(self, estimator: nn.Module, precision: Precision = 'float32', clamp: bool = True) -> None:
        if precision not in ('float32', 'bfloat16'):
            raise ValueError(f"flow_precision: expected 'float32' or 'bfloat16', found {precision!r}.")
        self.estimator = estimator.requires_grad_(False).eval()
        self.precision, self.clamp = precision, clamp

    @torch.no_grad()
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """The flow between two images, on their device, whatever the networks compute in.

        Raises:
            ValueError: A value is NaN or infinite, as when a colour mapper's training diverged; not on GPUs.
        """
        if (
            not first.is_cuda
        ):  # there it would wait for the device; DeferredInfoHook finds losses that are not finite
            check_finite(first, 'the image that the flow starts from')
            check_finite(second, 'the image that the flow leads to')
        first, second = (at_least_float32(image) for image in (first, second))
        if self.clamp:
            first, second = first.clamp(0, 1), second.clamp(0, 1)
        low = self.precision == 'bfloat16'
        with torch.autocast(first.device.type, torch.bfloat16, enabled=low):
            return self.estimator.to(first)(first, second).to(first)


def warp_target(
    target: Tensor,
    flow: Tensor,
    scaling: Scaling = 'pixel',
    eps: float = 1e-3,
    resize: ResizeForm = 'antialiased',
) -> tuple[Tensor, Tensor]:
    """A target, of the flow's size or larger, warped by it and zero where it is unknown, and the mask of where."""
    flow = resize_flow(flow, target.shape[-2:], align_corners=resize == 'official')
    with torch.autocast(target.device.type, enabled=False):
        warped, coverage = backward_warp(target, flow, scaling)
    mask = valid_mask(coverage, eps)
    return warped * mask, mask
