"""No alignment: the baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rawtoolbox.aligners.base import Aligned
from rawtoolbox.registry import ALIGNERS


@ALIGNERS.register_module()
class IdentityAligner(nn.Module):
    """Takes the target as it is, everywhere valid: the baseline of table 3."""

    def forward(
        self, source: Tensor, target: Tensor, coord: Tensor | None = None, prediction: Tensor | None = None
    ) -> Aligned:
        """The target, (N, 3, sH, sW), with a mask of ones; the other arguments are not looked at."""
        return Aligned(target.detach(), torch.ones_like(target[:, :1]))

    def loss(self, aligned: Aligned) -> dict[str, Tensor]:
        """Nothing to learn."""
        return {}
