"""Training of a flow estimator on pairs whose displacement is known."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from torch import Tensor

from rawtoolbox.losses.matching import matching_error
from rawtoolbox.registry import FLOW_ESTIMATORS, LOSSES, MODELS

MATCHED = slice(1, 5)  # levels 2 to 5: the first has no cost volume, the sixth hardly any places


@MODELS.register_module()
class FlowLearner(BaseModel):
    """A flow estimator and its losses, for mmengine's Runner.

    Args:
        flow_estimator: Config of an estimator with a pyramid, as :class:`rawtoolbox.flow.PWCNet`: ``extractor(image)``
            gives features, fine to coarse, and ``flows_between(first, second)`` flows from them, coarse to fine, in
            units of ``unit`` pixels.
        loss: Config of a loss of ``(flows in pixels, truth, valid)``.
        matching: Weight of :func:`rawtoolbox.losses.matching.matching_error` on the features of levels 2 to 5.
        features_first: Iterations at the start in which that loss alone counts.
        matching_until: Iteration from which it counts no longer; None: it always does.
        data_preprocessor: As mmengine's; None moves the data to the device.

    Raises:
        ValueError: ``features_first`` without ``matching``, or longer than it counts.
    """

    def __init__(
        self,
        flow_estimator: dict[str, Any],
        loss: dict[str, Any],
        matching: float = 0.0,
        features_first: int = 0,
        matching_until: int | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        if features_first and not matching:
            raise ValueError('features_first: without matching nothing would be learned; give it a weight.')
        if matching_until is not None and matching_until < features_first:
            raise ValueError(
                f'matching_until: expected at least features_first, {features_first}, found {matching_until}: '
                'in between nothing would be learned.'
            )
        self.flow_estimator = FLOW_ESTIMATORS.build(flow_estimator)
        self.loss = LOSSES.build(loss)
        self.matching, self.features_first = matching, features_first
        self.matching_until = math.inf if matching_until is None else matching_until
        self.to(memory_format=torch.channels_last)  # in half precision, several times faster on CPUs and GPUs

    def forward(
        self, inputs: dict[str, Tensor], data_samples: dict[str, Any] | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """Estimates flow, and what the mode asks for.

        Args:
            inputs: ``first`` and ``second``, (N, 3, H, W) uint8; H and W multiples of the estimator's stride in
                training.
            data_samples: ``flow`` (N, 2, H, W), ``valid`` (N, 1, H, W) and ``name``.
            mode: ``'tensor'``: the flow in pixels, (N, 2, H, W); ``'loss'``: losses by name; ``'predict'``: one
                dict a pair with ``name``, ``flow``, ``true_flow`` and ``flow_valid``.

        Raises:
            ValueError: Another mode.
        """
        first, second = (
            (inputs[side].float() / 255).contiguous(memory_format=torch.channels_last)
            for side in ('first', 'second')
        )
        if mode == 'loss':
            return self.losses(first, second, data_samples['flow'], data_samples['valid'])
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', got {mode!r}.")
        flow = self.flow_estimator(first, second)
        if mode == 'tensor':
            return flow
        keys = ('name', 'flow', 'true_flow', 'flow_valid')
        columns = (data_samples['name'], flow, data_samples['flow'], data_samples['valid'])
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]

    def losses(self, first: Tensor, second: Tensor, truth: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """``loss_flow`` and ``loss_matching``, as far as they count at this iteration."""
        features = self.flow_estimator.extractor(first), self.flow_estimator.extractor(second)
        iteration = MessageHub.get_current_instance().get_info('iter', 0)
        losses = {}
        if self.matching and iteration < self.matching_until:
            levels = (pyramid[MATCHED] for pyramid in features)
            with torch.autocast(first.device.type, enabled=False):
                losses['loss_matching'] = self.matching * matching_error(*levels, truth, valid)
        if iteration >= self.features_first:
            flows = self.flow_estimator.flows_between(*features)
            pixels = [flow.float() * self.flow_estimator.unit for flow in flows]
            losses['loss_flow'] = self.loss(pixels, truth, valid)
        return losses
