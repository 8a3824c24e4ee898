"""Configs that files carry: checked whole before anything is built, since anybody may have written the file.

A file may name registered parts only, each where a part of its kind belongs, with plain arguments that the class takes
and sizes that a network can have. It may not name a file, an address, a module or a function.
"""

from __future__ import annotations

import collections.abc
import inspect
import math
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

from torch import nn

from rawtoolbox.registry import ALIGNERS, BACKBONES, FLOW_ESTIMATORS, SCOPE, suggest

PARTS = {
    'backbone': BACKBONES,
    'aligner': ALIGNERS,
    'colour_mapper': ALIGNERS,
    'flow_estimator': FLOW_ESTIMATORS,
    'estimator': FLOW_ESTIMATORS,
}
LOADS = ('weights', 'pretrained', 'checkpoint', 'init_cfg')  # arguments that have files read or fetched
NAMED_WEIGHTS = ('pretrained', 'simulated')  # of flow estimators: the class knows where they lie
WIDTHS = re.compile('width|channels|growth')
WIDEST, MOST, LARGEST = 1024, 256, 1e6  # channels, any other whole number, any real number
LONGEST, DEEPEST = 16, 4  # lists, and parts in parts
NAME = re.compile(r'[A-Za-z0-9_.+-]{0,64}')  # no slash and no colon: neither a path nor an address
PLUGINS = "A network of yours needs your word: --config with the run's config, or --import with its module."


def safe_config(config: Any, part: str, source: str | Path) -> dict[str, Any]:
    """The config of a network as a file carries it, or an error before anything is built.

    Args:
        config: What the file says.
        part: What is wanted: a key of ``PARTS``.
        source: The file, for messages.

    Returns:
        The same, its types as registered names, and without arguments that would have files read: the weights are
        in the file itself. Flow estimators, whose weights are not, keep those in ``NAMED_WEIGHTS``.

    Raises:
        ValueError: It names something else, has arguments that the class does not take, or sizes out of bounds.
    """
    return _part(config, part, f'{source}: the {part} that it asks for is refused', 0)


def finite(value: Any, what: str, low: float = -LARGEST, high: float = LARGEST) -> float:
    """A number that a file carries.

    Raises:
        ValueError: It is no number, not finite, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f'{what}: expected a number from {low:g} to {high:g}, found {_shown(value)}.')
    return float(value)


def _part(config: Any, part: str, where: str, depth: int) -> dict[str, Any]:
    if not isinstance(config, dict) or depth > DEEPEST:
        raise ValueError(f'{where}: expected a config, found {_shown(config)}.')
    name, cls = _registered(config.get('type'), part, where)
    parameters, hints = inspect.signature(cls).parameters, _hints(cls)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    kept: dict[str, Any] = {'type': name}
    for key, value in config.items():
        if key == 'type' or (key == 'init_cfg' and key not in parameters):  # mmengine's models have one
            continue
        if key not in parameters or parameters[key].kind not in named:
            raise ValueError(f'{where}: {name} takes no argument {_shown(key)}.')
        at = f'{where}: {key} of {name}'
        if key in PARTS and not (value is None and parameters[key].default is None):
            kept[key] = _part(value, key, at, depth + 1)
        elif key in LOADS:
            kept[key] = _own_weights(value, part, parameters[key].default, at)
        elif not _fits(value, hints.get(key, Any)) or not _plain(value, key, depth):
            raise ValueError(f'{at} is {_shown(value)}, which is no such argument or out of bounds.')
        else:
            kept[key] = value
    return kept


def _registered(kind: Any, part: str, where: str) -> tuple[str, type[nn.Module]]:
    """The registered name behind a ``type``, and its class.

    A name with dots is that of a class of this package, as configs are dumped, and only its last part counts: nothing
    is imported.
    """
    registry = PARTS[part]
    registry.import_from_location()
    known = {name: cls for name, cls in registry.module_dict.items() if _plays(cls, part)}
    name = kind.rpartition('.')[2] if isinstance(kind, str) and kind.startswith(f'{SCOPE}.') else kind
    if not isinstance(name, str) or name not in known:
        near = suggest(name, sorted(known)) if isinstance(name, str) and NAME.fullmatch(name) else ''
        raise ValueError(f'{where}: {_shown(kind)} is no registered {registry.name}.{near} {PLUGINS}')
    return name, known[name]


def _plays(cls: Any, part: str) -> bool:
    """Whether a class can be that part: aligners, which know of the prediction, are no colour mappers."""
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        return False
    if part not in ('aligner', 'colour_mapper'):
        return True
    return ('prediction' in inspect.signature(cls.forward).parameters) == (part == 'aligner')


def _own_weights(value: Any, part: str, default: Any, where: str) -> Any:
    """What an argument that has files read becomes."""
    if PARTS[part] is not FLOW_ESTIMATORS:
        return False if isinstance(default, bool) else None
    if default is inspect.Parameter.empty:  # it knows no weights by name
        known: tuple[str | None, ...] = ()
    else:
        known = (None, *NAMED_WEIGHTS)
    if value not in known:
        raise ValueError(
            f"{where} is {_shown(value)}, and no file is read on another file's word. Align by a run whose flow "
            f'estimator has weights that are known by name ({", ".join(NAMED_WEIGHTS)}), or by the config.'
        )
    return value


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.getattr_static(cls, '__init__'))
    except NameError:  # a plugin that imports its types for checking only
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of an annotated type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin in (tuple, list, collections.abc.Sequence):
        return isinstance(value, list | tuple) and all(_fits(one, inner[0]) for one in value)
    kind = origin or hint
    return type(value) is kind or (isinstance(value, dict) and kind is collections.abc.Mapping)


def _plain(value: Any, key: str, depth: int) -> bool:
    """Whether a value is plain and within bounds."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return abs(value) <= (WIDEST if WIDTHS.search(key) else MOST)
    if isinstance(value, float):
        return math.isfinite(value) and abs(value) <= LARGEST
    if isinstance(value, str):
        return NAME.fullmatch(value) is not None and '..' not in value
    if not isinstance(value, list | tuple | dict) or len(value) > LONGEST or depth > DEEPEST:
        return False
    if isinstance(value, dict):
        named = all(isinstance(name, str) and name != 'type' and _plain(name, key, depth) for name in value)
        return named and all(_plain(one, str(name), depth + 1) for name, one in value.items())
    return all(_plain(one, key, depth + 1) for one in value)


def _shown(value: Any) -> str:
    """A value of a file in a message: one line, and not long."""
    if isinstance(value, dict | list | tuple):
        return f'a {type(value).__name__} of {len(value)}'
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return 'a whole number beyond bounds'  # it may have more digits than Python writes
    text = ascii(value)
    return text if len(text) <= 60 else f'{text[:60]}...'
