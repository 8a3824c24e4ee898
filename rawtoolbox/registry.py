"""Registries: children of mmengine's, filled on first use.

Each names the module that fills it (``locations``), so that a config may say ``type='LiteISPNet'`` without
anything having been imported by hand. A wrong name is answered with the nearest known one.
"""

from __future__ import annotations

import difflib
from typing import Any

import mmengine.registry as root
from mmengine.registry import Registry as MMRegistry
from mmengine.utils import get_object_from_string

from rawtoolbox.compat import check_opencv, mend_torchvision
from rawtoolbox.moved_names import present_name

# Before any part or Runner is made: their libraries import OpenCV and torchvision.
check_opencv()
mend_torchvision()

SCOPE = 'rawtoolbox'


class Registry(MMRegistry):
    """A registry that answers an unknown name with the nearest known one."""

    def get(self, key: str) -> type:
        """Returns what is registered under ``key``.

        Raises:
            KeyError: No such name here or in a parent registry; the message names the nearest ones.
        """
        # A dumped config names classes by their module; mmengine would read the package's name as a scope.
        key = present_name(key)
        found = get_object_from_string(key) if '.' in key else None
        try:
            found = found or super().get(key)
        except RuntimeError:  # mmengine's answer to a dotted name that cannot be imported
            found = None
        if found is None:
            raise KeyError(f'{self.name} {key!r} is not known.{suggest(key, self.known_names())}')
        return found

    def __contains__(self, key: str) -> bool:
        return key in self.known_names()

    def known_names(self) -> list[str]:
        """Names registered here or in a parent, sorted."""
        self.import_from_location()
        names, registry = set(), self
        while registry is not None:
            names |= set(registry._module_dict)
            registry = registry.parent
        return sorted(names)


def suggest(name: str, known: list[str]) -> str:
    """A sentence naming the known names nearest to a wrong one (or all, when they are few).

    >>> suggest('LiteISPnet', ['LiteISPNet', 'PyNET'])
    ' Did you mean LiteISPNet?'
    """
    folded = {candidate.lower(): candidate for candidate in known}
    near = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if near:
        return f' Did you mean {" or ".join(near)}?'
    if len(known) <= 20:
        return f' Known: {", ".join(known) or "none"}.'
    return ' If it is a class of yours, list its module in custom_imports.'


def build_component(cfg: dict[str, Any], registry: Registry, **defaults: Any) -> Any:
    """Builds ``cfg['type'](**rest)``, the type being a class or a registered name; keeps built objects.

    The registries of parts (backbones, aligners, ...) use this instead of mmengine's builder, which
    would look the name up in the default scope's *model* registry.

    Args:
        cfg: ``dict(type=..., **arguments)``, or an object that has been built already.
        registry: Where a name is looked up.
        **defaults: Arguments that ``cfg`` does not give.

    Raises:
        TypeError: ``cfg`` has no ``type``, or its arguments do not fit the class.
        KeyError: The name is not registered.
    """
    if not isinstance(cfg, dict):
        return cfg
    arguments = {**defaults, **cfg}
    kind = arguments.pop('type', None)
    if kind is None:
        raise TypeError(f'A {registry.name} needs a "type": got {cfg}.')
    cls = registry.get(kind) if isinstance(kind, str) else kind
    try:
        return cls(**arguments)
    except TypeError as error:
        raise TypeError(f'{registry.name} {getattr(cls, "__name__", cls)}: {error}') from error


def _child(name: str, *locations: str) -> Registry:
    """The child of mmengine's registry of that name, in this project's scope."""
    parent = getattr(root, name)
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=list(locations))


def _part(name: str, *locations: str) -> Registry:
    """A registry of parts of a model: a child of MODELS, in a scope of its own."""
    return Registry(
        name,
        build_func=build_component,
        parent=MODELS,
        scope=name.replace(' ', '_'),
        locations=list(locations),
    )


MODELS = _child('MODELS', 'rawtoolbox.models')
BACKBONES = _part('backbone', 'rawtoolbox.backbones')
ALIGNERS = _part('aligner', 'rawtoolbox.aligners')
FLOW_ESTIMATORS = _part('flow estimator', 'rawtoolbox.flow')
LOSSES = _part('loss', 'rawtoolbox.losses')

DATASETS = _child('DATASETS', 'rawtoolbox.datasets')
TRANSFORMS = _child('TRANSFORMS', 'rawtoolbox.datasets')
METRICS = _child('METRICS', 'rawtoolbox.metrics')
HOOKS = _child('HOOKS', 'rawtoolbox.engine', 'rawtoolbox.deployment.hook')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'rawtoolbox.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'rawtoolbox.engine')
VISUALIZERS = _child('VISUALIZERS', 'rawtoolbox.visualization')

# A child of every other root, or each build would warn that the scope is not found in that tree.
for _name in (
    *('RUNNERS', 'RUNNER_CONSTRUCTORS', 'LOOPS', 'STRATEGIES', 'DATA_SAMPLERS', 'MODEL_WRAPPERS'),
    *('WEIGHT_INITIALIZERS', 'OPTIMIZERS', 'PARAM_SCHEDULERS', 'EVALUATOR', 'TASK_UTILS', 'VISBACKENDS'),
    *('LOG_PROCESSORS', 'INFERENCERS', 'FUNCTIONS'),
):
    globals()[_name] = _child(_name)
