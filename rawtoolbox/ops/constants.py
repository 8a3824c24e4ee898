"""Small constant tensors that reach the device without a wait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def constant(values: Sequence[float] | np.ndarray, like: Tensor) -> Tensor:
    """Numbers as a tensor of another's type and device.

    ``Tensor.new_tensor`` copies synchronously: on a GPU it waits for all work before it, at every call.
    """
    return torch.as_tensor(np.asarray(values), dtype=like.dtype).to(like.device, non_blocking=True)
