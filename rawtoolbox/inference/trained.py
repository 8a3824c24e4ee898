"""A network with everything that is needed to run it on a frame, from a checkpoint alone where that says it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.engine.config import load_config, plain_config
from rawtoolbox.raw.camera_colour import srgb_to_camera_matrix
from rawtoolbox.raw.frame import Gains
from rawtoolbox.raw.reader import read_raw
from rawtoolbox.registry import BACKBONES
from rawtoolbox.simulation.cameras import XYZ_TO_PHONE, SimulationConfig
from rawtoolbox.weights.checkpoint import BACKBONE, check_fits, load_local

SIMULATED = 'simulated'
ZRR_BLACK, ZRR_WHITE, ZRR_PATCH = 63.0, 1020.0, 448  # the preprocessor's defaults


@dataclass(frozen=True, eq=False)
class Camera:
    """What adapting another camera's colours needs to know of the training camera.

    Attributes:
        name: For messages.
        xyz_to_camera: (3, 3) CIE XYZ to the camera's R, G, B.
        gains: White balance of R, G, B that is typical of the training frames.
    """

    name: str
    xyz_to_camera: np.ndarray
    gains: Gains

    def to_plain(self) -> dict[str, Any]:
        """The values that a published checkpoint carries under ``camera``."""
        return {
            'name': self.name,
            'xyz_to_camera': np.asarray(self.xyz_to_camera, float).tolist(),
            'gains': [float(gain) for gain in self.gains],
        }

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> Camera:
        """The inverse of :meth:`to_plain`.

        Raises:
            ValueError: The matrix is unusable.
        """
        matrix = np.array(values['xyz_to_camera'], float)
        srgb_to_camera_matrix(matrix)
        return cls(values.get('name', ''), matrix, tuple(values['gains']))


def find_camera(source: str | Path) -> Camera:
    """The camera behind a raw file, or the simulated phone.

    Args:
        source: A camera file taken under the training frames' usual light, or ``'simulated'``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file gives no colour matrix or no white balance.
    """
    if str(source) == SIMULATED:
        config = SimulationConfig()
        red, blue = (sum(limits) / 2 for limits in (config.red_gain, config.blue_gain))
        return Camera('simulated phone', XYZ_TO_PHONE, (red, 1.0, blue))
    frame = read_raw(source)
    if frame.xyz_to_camera is None or frame.white_balance_source == 'none':
        missing = 'colour matrix' if frame.xyz_to_camera is None else 'white balance'
        raise ValueError(
            f"{source}: no {missing} is known of this camera: name another file, or 'simulated'."
        )
    return Camera(frame.camera or Path(source).name, frame.xyz_to_camera, frame.white_balance)


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network and the conditions under which it was trained.

    Attributes:
        network: ``network(raw (1,C,h,w), coord (1,2,h,w)) -> (1,3,scale*h,scale*w)``.
        raw_input: What it takes.
        black_level: Sensor value of black in training.
        white_level: Of white.
        patch_size: Height and width of a training patch, in sensor pixels.
        camera: The training camera; None if unknown.
        name: For messages.
        config: Of the network, plain values; empty if unknown.
    """

    network: Callable[[Tensor, Tensor], Tensor]
    raw_input: RawInput = field(default_factory=RawInput)
    black_level: float = ZRR_BLACK
    white_level: float = ZRR_WHITE
    patch_size: int = ZRR_PATCH
    camera: Camera | None = None
    name: str = 'network'
    config: dict[str, Any] = field(default_factory=dict)


def load_trained(checkpoint: str | Path, config: str | Path | None = None) -> TrainedNetwork:
    """Loads a network for inference.

    Args:
        checkpoint: A ``.safetensors`` file of ``tools/publish.py``, or a ``.pth`` file of a training run; both
            carry their configuration.
        config: Config file, for a checkpoint that does not carry it or whose network is a plugin of the config's.

    Raises:
        FileNotFoundError: No such checkpoint or config.
        ValueError: The checkpoint is damaged, is for another network, or does not say which network it is for.
    """
    loaded = load_local(str(checkpoint), 'cpu')
    backbone, preprocessor = _configuration(loaded.get('meta') or {}, checkpoint, config)
    network = BACKBONES.build(backbone)
    state = loaded.get('ema_state_dict') or loaded['state_dict']
    state = {name.removeprefix('module.'): tensor for name, tensor in state.items()}
    weights = {name[len(BACKBONE) :]: tensor for name, tensor in state.items() if name.startswith(BACKBONE)}
    check_fits(weights, network, '', f'The weights in {checkpoint}')
    network.load_state_dict(weights)
    camera = loaded.get('meta', {}).get('camera')
    return TrainedNetwork(
        network.eval(),
        getattr(network, 'raw_input', RawInput()),
        float(np.mean(preprocessor.get('black_level', ZRR_BLACK))),
        float(preprocessor.get('white_level', ZRR_WHITE)),
        preprocessor.get('crop_size') or ZRR_PATCH,
        Camera.from_plain(camera) if camera else None,
        Path(checkpoint).name,
        backbone,
    )


def _configuration(
    meta: dict[str, Any], checkpoint: str | Path, config: str | Path | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configs of the backbone and the preprocessor: the config file's, or what the checkpoint carries."""
    if config is not None:
        model = plain_config(load_config(config).model)
        return model['backbone'], model.get('data_preprocessor') or {}
    if 'config' in meta:
        return meta['config'], meta.get('preprocessor') or {}
    if 'model' in meta:
        return meta['model']['backbone'], meta['model'].get('data_preprocessor') or {}
    raise ValueError(
        f'{checkpoint} does not say which network it is for: name its config by --config, or publish it by '
        'tools/publish.py, which writes the config inside.'
    )
