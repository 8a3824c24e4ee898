"""The front door: what programs import. Each name is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rawtoolbox.deployment.complexity import count_macs, count_parameters
    from rawtoolbox.inference.develop_files import develop_files
    from rawtoolbox.inference.developer import Developer
    from rawtoolbox.inference.inferencer import Inferencer
    from rawtoolbox.inference.trained import load_trained
    from rawtoolbox.preparation.pairs import prepare_pairs
    from rawtoolbox.zoo.models import get_model, list_models

__all__ = [
    'Developer',
    'Inferencer',
    'count_macs',
    'count_parameters',
    'develop_files',
    'get_model',
    'list_models',
    'load_trained',
    'prepare_pairs',
]

_PLACES = {
    'Developer': 'rawtoolbox.inference.developer',
    'Inferencer': 'rawtoolbox.inference.inferencer',
    'count_macs': 'rawtoolbox.deployment.complexity',
    'count_parameters': 'rawtoolbox.deployment.complexity',
    'develop_files': 'rawtoolbox.inference.develop_files',
    'get_model': 'rawtoolbox.zoo.models',
    'list_models': 'rawtoolbox.zoo.models',
    'load_trained': 'rawtoolbox.inference.trained',
    'prepare_pairs': 'rawtoolbox.preparation.pairs',
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
