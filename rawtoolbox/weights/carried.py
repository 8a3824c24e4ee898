"""Configs that files carry, made safe: they name registered parts with plain and sane arguments, or are refused.

A checkpoint says itself which network it is for. Whoever wrote the file is not trusted: nothing that it says is
imported, no function is called but the constructor of a registered class, no other file is read and no address is
fetched. A network is built without memory first, and in earnest only when the file's tensors fit it.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rawtoolbox.registry import ALIGNERS, FLOW_ESTIMATORS, Registry, suggest
from rawtoolbox.weights.checkpoint import ALIGNER, check_fits, load_local

PARTS = {'colour_mapper': ALIGNERS, 'flow_estimator': FLOW_ESTIMATORS, 'estimator': FLOW_ESTIMATORS}
LEFT_OUT = ('init_cfg', 'pretrained', 'checkpoint')  # where weights come from: they are in the file itself
NAMED_WEIGHTS = (None, 'simulated', 'pretrained')  # a class finds these itself, wherever the file comes from
WORD = re.compile(r'[\w.+ -]{0,64}')  # no path, no address
LONGEST = 64  # list
DEEPEST = 4
LARGEST = 1e6  # magnitude of a number that is no count
COUNT = 256  # a count may be as large without a look at the tensors
PACKAGE = 'rawtoolbox.'


def carried_config(
    config: Any, registry: Registry, state: Mapping[str, Tensor], where: str
) -> dict[str, Any]:
    """The config of a part as a file carries it, checked; classes in place of names.

    Args:
        config: What the file says.
        registry: Where the part must be registered; for parts of it their own, see ``PARTS``.
        state: The file's tensors: no count may exceed both their number and their largest side (or 256).
        where: The file, for messages.

    Returns:
        The config, with ``type`` a class, without what names weights elsewhere.

    Raises:
        ValueError: It is more than a config of registered parts; the message says what was found.
    """
    sides = [side for tensor in state.values() for side in tensor.shape]
    return _part(config, registry, max([COUNT, len(state), *sides]), where, 0)


def build_carried(config: Any, registry: Registry, weights: Mapping[str, Tensor], where: str) -> nn.Module:
    """The network that a file describes, with its weights.

    Args:
        config: What the file says.
        registry: Where the network must be registered.
        weights: The file's tensors, by their names in the network.
        where: The file, for messages.

    Raises:
        ValueError: The config is refused (see :func:`carried_config`), or the weights do not fit it.
    """
    checked = carried_config(config, registry, weights, where)
    with torch.device('meta'):
        outline = _built(checked, registry, where)
    check_fits(weights, outline, '', f'The weights in {where}')
    network = _built(checked, registry, where)
    network.load_state_dict(dict(weights))
    return network


def load_aligner(path: str | Path) -> nn.Module:
    """The aligner of a training run, built as that run's checkpoint says, with its weights.

    Args:
        path: A checkpoint of the run.

    Raises:
        ValueError: The file holds no aligner, or its config is refused.
    """
    checkpoint = load_local(str(path), 'cpu')
    model = checkpoint['meta'].get('model')
    config = model.get('aligner') if isinstance(model, Mapping) else None
    if not config:
        raise ValueError(f'{path} holds no aligner: name a checkpoint (.pth) of a run that trained with one.')
    weights = {n[len(ALIGNER) :]: t for n, t in checkpoint['state_dict'].items() if n.startswith(ALIGNER)}
    # not without memory first, as a network: an aligner's own parts are small whatever their counts
    aligner = _built(carried_config(config, ALIGNERS, weights, str(path)), ALIGNERS, str(path))
    check_fits(weights, aligner, '', f'The weights of the aligner in {path}')
    aligner.load_state_dict(weights)
    return aligner


def _built(config: dict[str, Any], registry: Registry, where: str) -> nn.Module:
    try:
        return registry.build(config)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, AssertionError) as error:
        reason = str(error).partition('\n')[0]
        raise ValueError(f'{where} describes no {registry.name} that can be built: {reason}') from error


def _part(config: Any, registry: Registry, limit: int, where: str, depth: int) -> dict[str, Any]:
    if depth > DEEPEST or not isinstance(config, Mapping) or not isinstance(config.get('type'), str):
        raise ValueError(
            f'{where} is refused: expected the config of a {registry.name}, found {_short(config)}.'
        )
    cls = _registered(config['type'], registry, where)
    arguments = {key: value for key, value in config.items() if key not in ('type', *LEFT_OUT)}
    _check_names(arguments, cls, where)
    checked: dict[str, Any] = {'type': cls}
    for key, value in arguments.items():
        if key == 'weights':
            checked[key] = _weights(value, registry, where)
        elif key in PARTS and isinstance(value, Mapping):
            checked[key] = _part(value, PARTS[key], limit, where, depth + 1)
        else:
            checked[key] = _value(value, limit, f'{where}: {cls.__name__}.{key}', depth)
    return checked


def _registered(name: str, registry: Registry, where: str) -> type:
    """The class of that name in this very registry; our own modules' names stand for their last part."""
    short = name.rpartition('.')[2] if name.startswith(PACKAGE) else name
    registry.import_from_location()
    known = registry.module_dict
    if short in known:
        return known[short]
    raise ValueError(
        f'{where} is refused: it names {_short(name)}, which is no registered {registry.name}.'
        f'{suggest(short[:64], sorted(known)) if "." not in short else ""} If it is your own, name the module '
        'that registers it by --import, or its config by --config; a file alone is not believed.'
    )


def _check_names(arguments: Mapping[Any, Any], cls: type, where: str) -> None:
    parameters = inspect.signature(cls).parameters
    named = {name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    unknown = [key for key in arguments if key not in named]
    if unknown:
        raise ValueError(f'{where} is refused: {cls.__name__} takes no argument {_short(unknown[0])}.')


def _weights(value: Any, registry: Registry, where: str) -> str | None:
    """Other weights than the file's own: none, or those that a flow estimator knows by name."""
    if registry is not FLOW_ESTIMATORS:
        return None
    if value not in NAMED_WEIGHTS:
        raise ValueError(
            f'{where} is refused: it names the weights {_short(value)} of a flow estimator, and no file is read on '
            "another file's word. Train with named weights ('simulated', 'pretrained'), or align by the config's own."
        )
    return value


def _value(value: Any, limit: int, where: str, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= limit:
        return value
    if isinstance(value, float) and math.isfinite(value) and abs(value) <= LARGEST:
        return value
    if isinstance(value, str) and WORD.fullmatch(value):
        return value
    if isinstance(value, list | tuple) and len(value) <= LONGEST and depth < DEEPEST:
        return type(value)(_value(item, limit, where, depth + 1) for item in value)
    raise ValueError(
        f'{where} is refused: expected a word, a number of at most {limit} or a short list, found {_short(value)}.'
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
