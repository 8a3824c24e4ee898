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
from rawtoolbox.raw.camera import Camera
from rawtoolbox.registry import BACKBONES
from rawtoolbox.weights.carried import build_carried
from rawtoolbox.weights.checkpoint import BACKBONE, check_fits, check_weights, load_local, weights_under

ZRR_BLACK, ZRR_WHITE, ZRR_PATCH = 63.0, 1020.0, 448  # the preprocessor's defaults


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
    weights = weights_under(BACKBONE, loaded)
    check_weights(weights, str(checkpoint))
    backbone, preprocessor = _configuration(loaded['meta'], checkpoint, config)
    if config is None:  # the file's own word
        network = build_carried(backbone, 'backbone', weights, checkpoint)
        preprocessor = _carried_levels(preprocessor, checkpoint)
    else:
        network = BACKBONES.build(backbone)
        check_fits(weights, network, '', f'The weights in {checkpoint}')
        network.load_state_dict(weights)
    camera = loaded['meta'].get('camera')
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
    if isinstance(meta.get('model'), dict):
        return meta['model'].get('backbone'), meta['model'].get('data_preprocessor') or {}
    raise ValueError(
        f'{checkpoint} does not say which network it is for: name its config by --config, or publish it by '
        'tools/publish.py, which writes the config inside.'
    )


def _carried_levels(preprocessor: Any, checkpoint: str | Path) -> dict[str, Any]:
    """Levels and patch size that a checkpoint carries.

    Raises:
        ValueError: They are no levels of a sensor, or no size of a patch.
    """
    if not isinstance(preprocessor, dict):
        raise ValueError(f'{checkpoint}: expected a dict of levels, found a {type(preprocessor).__name__}.')
    found = {key: preprocessor.get(key) for key in ('black_level', 'white_level', 'crop_size')}
    levels = {key: value for key, value in found.items() if value is not None}
    try:
        black = np.asarray(levels.get('black_level', ZRR_BLACK), float)
        white = float(levels.get('white_level', ZRR_WHITE))
        patch = int(levels.get('crop_size', ZRR_PATCH))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f'{checkpoint}: its levels or patch size are no numbers ({error}).') from error
    if black.size not in (1, 4) or not np.isfinite(black).all() or not black.max() < white <= 2**24:
        raise ValueError(
            f'{checkpoint}: expected a black level below a white level, found {black} and {white}.'
        )
    if not 16 <= patch <= 2**14:
        raise ValueError(f'{checkpoint}: expected a patch size of 16 to 16384 pixels, found {patch}.')
    return levels
