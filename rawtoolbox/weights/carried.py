"""Networks that checkpoints carry: built from the config inside, which is not trusted, with the weights beside it.

What the config may say is decided in :mod:`rawtoolbox.weights.untrusted`. A network is built without memory first, and
in earnest only when the file's tensors fit it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rawtoolbox.weights.checkpoint import ALIGNER, check_fits, load_local
from rawtoolbox.weights.untrusted import PARTS, safe_config

COLOUR_MAPPER = f'{ALIGNER}colour_mapper.'


def build_carried(config: Any, part: str, weights: Mapping[str, Tensor], where: str | Path) -> nn.Module:
    """The network that a file describes, with its weights.

    Args:
        config: What the file says.
        part: What is wanted: a key of :data:`~rawtoolbox.weights.untrusted.PARTS`.
        weights: The file's tensors, by their names in the network.
        where: The file, for messages.

    Raises:
        ValueError: The config is refused (see :func:`~rawtoolbox.weights.untrusted.safe_config`), or the weights do
            not fit it.
    """
    safe = safe_config(config, part, where)
    with torch.device('meta'):
        outline = _built(safe, part, where)
    check_fits(weights, outline, '', f'The weights in {where}')
    network = _built(safe, part, where)
    network.load_state_dict(dict(weights))
    return network


def load_colour_mapper(path: str | Path) -> nn.Module:
    """The colour mapper of a training run, with its weights; of its aligner nothing else is built.

    Args:
        path: A checkpoint of the run.

    Raises:
        ValueError: The file holds no aligner, none with a colour mapper, or one that is refused.
    """
    config, state = _aligner_of(path)
    safe_config({'type': config.get('type')}, 'aligner', path)
    if config.get('colour_mapper') is None:
        raise ValueError(f'{path}: its aligner has no colour mapper: name a run with a GCM.')
    return build_carried(config['colour_mapper'], 'colour_mapper', _under(COLOUR_MAPPER, state), path)


def load_aligner(path: str | Path) -> nn.Module:
    """The aligner of a training run, built as that run's checkpoint says, with its weights.

    Args:
        path: A checkpoint of the run.

    Raises:
        FileNotFoundError: Its flow estimator's weights, which that finds by name, are not on this machine.
        ValueError: The file holds no aligner, or its config is refused.
    """
    config, state = _aligner_of(path)
    safe = safe_config(config, 'aligner', path)
    if safe.get('colour_mapper') is not None:
        safe['colour_mapper'] = load_colour_mapper(path)
    aligner = _built(safe, 'aligner', path)
    weights = _under(ALIGNER, state)
    check_fits(weights, aligner, '', f'The weights of the aligner in {path}')
    aligner.load_state_dict(weights)
    return aligner


def _aligner_of(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a checkpoint says of its aligner, and its tensors."""
    checkpoint = load_local(str(path), 'cpu')
    model = checkpoint['meta'].get('model')
    config = model.get('aligner') if isinstance(model, dict) else None
    if not config:
        raise ValueError(f'{path} holds no aligner: name a checkpoint (.pth) of a run that trained with one.')
    if not isinstance(config, dict):
        raise ValueError(f'{path}: the aligner that it asks for is refused: it is no config.')
    return config, checkpoint['state_dict']


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def _built(config: dict[str, Any], part: str, where: str | Path) -> nn.Module:
    try:
        network: nn.Module = PARTS[part].build(config)
        return network
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        reason = str(error).partition('\n')[0]
        raise ValueError(f'{where}: its {part} {config["type"]} cannot be built: {reason}') from error
