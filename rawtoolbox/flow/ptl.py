"""PtlFlow: the two-frame networks of the package ptlflow as flow estimators."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.registry import FLOW_ESTIMATORS
from rawtoolbox.weights.checkpoint import check_fits
from rawtoolbox.weights.official import read_tensors

# ptlflow's pins would bring another OpenCV, hence --no-deps; this is what it needs beside what this package does.
INSTALL = (
    'pip install --no-deps ptlflow lightning lightning-utilities torchmetrics jsonargparse docstring-parser '
    'typeshed-client loguru'
)
SMALLEST = 128  # below, some networks' coarsest levels vanish


@FLOW_ESTIMATORS.register_module()
class PtlFlow(nn.Module):
    """A network of ptlflow (github.com/hmorimitsu/ptlflow), by its name there: ``'raft'``, ``'gma'``, ``'rapidflow'``.

    It is given two frames in BGR order, as ptlflow's networks expect, with borders repeated up to 128 pixels where a
    side is smaller. Networks that need three frames or more are not for it.

    Args:
        name: One of ``ptlflow.get_model_names()``.
        weights: Path of one of ptlflow's checkpoints or a safetensors file with its names, read without running code
            from it; None for an untrained network. Nothing is downloaded.

    Raises:
        ImportError: ptlflow or something it needs is not installed; the message says how to install it.
        ValueError: Another name, or a file that holds something else.
        FileNotFoundError: There is no such file of weights.
    """

    def __init__(self, name: str, weights: str | Path | None) -> None:
        super().__init__()
        try:
            import ptlflow
        except ImportError as error:
            raise ImportError(f'PtlFlow needs the package ptlflow ({error}). Remedy: {INSTALL}') from error
        names = ptlflow.get_model_names()
        if name not in names:
            raise ValueError(f'PtlFlow: name is one of {", ".join(names)}, found {name!r}.')
        self.network = ptlflow.get_model(name)
        if weights is not None:
            if not Path(weights).is_file():
                raise FileNotFoundError(
                    f'{weights}: expected a checkpoint of {name}, found no file. Get it from the release of ptlflow.'
                )
            state = read_tensors(weights)
            check_fits(state, self.network, '', f'The weights in {weights}')
            self.network.load_state_dict(state)

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Estimates where each position of the first image is found in the second.

        Args:
            first: RGB images, (N, 3, H, W) in [0, 1], of any size.
            second: RGB images of the same size.

        Returns:
            Flow in pixels, x then y, (N, 2, H, W).

        Raises:
            ValueError: The shapes do not fit.
        """
        sizes = check_shape(first, 'N 3 H W', 'first')
        check_shape(second, f'{sizes["N"]} 3 {sizes["H"]} {sizes["W"]}', 'second')
        margin = (0, max(SMALLEST - sizes['W'], 0), 0, max(SMALLEST - sizes['H'], 0))
        frames = torch.stack([F.pad(image.flip(1), margin, mode='replicate') for image in (first, second)], 1)
        flow = self.network({'images': frames})['flows'][:, 0]
        return flow[..., : sizes['H'], : sizes['W']].contiguous()
