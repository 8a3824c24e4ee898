"""Training of a flow estimator on pairs whose displacement is known."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from rawtoolbox.registry import FLOW_ESTIMATORS, LOSSES, MODELS


@MODELS.register_module()
class FlowLearner(BaseModel):
    """A flow estimator and its loss, for mmengine's Runner.

    Args:
        flow_estimator: Config of an estimator with a pyramid: ``pyramid_flows(first, second)`` gives flows, coarse
            to fine, in units of ``unit`` pixels, as :class:`rawtoolbox.flow.PWCNet` does.
        loss: Config of a loss of ``(flows in pixels, truth, valid)``.
        data_preprocessor: As mmengine's; None moves the data to the device.
    """

    def __init__(
        self,
        flow_estimator: dict[str, Any],
        loss: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.flow_estimator = FLOW_ESTIMATORS.build(flow_estimator)
        self.loss = LOSSES.build(loss)
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
            flows = self.flow_estimator.pyramid_flows(first, second)
            pixels = [flow.float() * self.flow_estimator.unit for flow in flows]
            return {'loss_flow': self.loss(pixels, data_samples['flow'], data_samples['valid'])}
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', got {mode!r}.")
        flow = self.flow_estimator(first, second)
        if mode == 'tensor':
            return flow
        keys = ('name', 'flow', 'true_flow', 'flow_valid')
        columns = (data_samples['name'], flow, data_samples['flow'], data_samples['valid'])
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
