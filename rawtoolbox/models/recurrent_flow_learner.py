"""Training of a recurrent flow estimator, all iterations at once."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from rawtoolbox.models.flow_learner import FlowLearner
from rawtoolbox.registry import MODELS


@MODELS.register_module()
class RecurrentFlowLearner(FlowLearner):
    """As :class:`FlowLearner`, for estimators whose ``estimates(first, second)`` gives ``flows`` and ``log_scale``.

    Args:
        flow_estimator: Config of such an estimator, as :class:`rawtoolbox.flow.HybridFlow`.
        loss: Config of a loss of ``(flows in pixels, log_scale, truth, valid)``.
        data_preprocessor: As mmengine's; None moves the data to the device.
    """

    def __init__(
        self,
        flow_estimator: dict[str, Any],
        loss: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(flow_estimator, loss, data_preprocessor=data_preprocessor)

    def losses(self, first: Tensor, second: Tensor, truth: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """``loss_flow``, and ``epe``: the mean end-point error of the last flow."""
        flows, log_scale = self.flow_estimator.estimates(first, second)
        distance = (flows[-1].detach() - truth).square().sum(1, keepdim=True).sqrt()
        return {
            'loss_flow': self.loss(flows, log_scale, truth, valid),
            'epe': (distance * valid).sum() / valid.sum().clamp(min=1),
        }
