"""Configs: read, checked for misspelt keys, and completed before a Runner sees them."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.utils import import_modules_from_strings

from rawtoolbox import registry
from rawtoolbox.files.share import find_config
from rawtoolbox.registry import suggest

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

# What mmengine's Runner and this package's tools read. A plugin adds its own by `known_keys.add(...)`.
known_keys = {
    *LOADERS,
    *('model', 'data_preprocessor', 'data_root', 'work_dir', 'experiment_name', 'load_from', 'resume'),
    *('train_cfg', 'val_cfg', 'test_cfg', 'val_evaluator', 'test_evaluator'),
    *(
        'optim_wrapper',
        'param_scheduler',
        'auto_scale_lr',
        'randomness',
        'compile',
        'activation_checkpointing',
    ),
    *('default_hooks', 'custom_hooks', 'custom_imports', 'default_scope', 'env_cfg', 'launcher'),
    *('model_wrapper_cfg', 'find_unused_parameters', 'sync_bn'),
    *('log_processor', 'log_level', 'visualizer', 'vis_backends'),
}


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Reads a config, merges the command line's options and checks every key that can be checked.

    Args:
        path: A pure-Python config file, or the name of one that comes with the package.
        options: Options of the command line, with dotted keys.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A top-level key that nothing reads, or an argument that its class does not take; the message
            names the nearest known one.
        KeyError: A type that is not registered.
    """
    path = find_config(path).absolute()
    for folder in (Path.cwd(), path.parent):  # where custom_imports finds a user's own modules
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    config = Config.fromfile(path)
    import_modules_from_strings(**config.get('custom_imports', {'imports': None}))
    read = names_read(path)
    if options:
        config.merge_from_dict(options)
    check_top_level(config, read)
    fill_data_root(config)
    check_arguments(config)
    return config


def names_read(path: Path) -> set[str]:
    """Names that a config file, or a base that it reads, uses on some right-hand side."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    names = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            base = folder.joinpath(*(node.module or '').split('.')).with_suffix('.py')
            if base.is_file():
                names |= names_read(base)
    return names


def check_top_level(config: Config, read: set[str] = frozenset()) -> None:
    """Refuses a top-level key that neither the tools nor the config itself read.

    Args:
        config: The config.
        read: Names that the config file itself uses, which may therefore be helper variables.

    Raises:
        ValueError: Such a key; the message names the nearest known one.
    """
    imported = getattr(config, '_imported_names', set())
    for key in config:
        if key not in known_keys | imported and key not in read and not key.startswith('_'):
            raise ValueError(
                f'{config.filename or "config"}: nothing reads the top-level key {key!r}.'
                f'{suggest(key, sorted(known_keys))} A variable of the config\'s own begins with "_".'
            )


def fill_data_root(config: Config) -> None:
    """Gives the top-level ``data_root`` to every data set that does not name its own."""
    if 'data_root' not in config:
        return
    for name in LOADERS:
        dataset = (config.get(name) or {}).get('dataset')
        if dataset is not None:
            dataset.setdefault('data_root', config.data_root)


def check_arguments(config: Config) -> None:
    """Refuses arguments that their class does not take, before anything is built.

    Raises:
        ValueError: Such an argument; the message names where it stands and the nearest known one.
        KeyError: A type that is not registered.
    """
    roots = [key for key in ('model', 'val_evaluator', 'test_evaluator', *LOADERS) if config.get(key)]
    for where, part in (found for key in roots for found in _parts(key, config[key])):
        cls = _resolve(part['type'])
        try:
            parameters = inspect.signature(cls).parameters if inspect.isclass(cls) else {}
        except ValueError:  # a built-in class without one
            continue
        if not parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            continue
        for key in part:
            if key != 'type' and key not in parameters:
                raise ValueError(
                    f'{where}.{key} is no argument of {cls.__name__}.{suggest(key, sorted(parameters))}'
                )


def _parts(where: str, node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """All dicts with a ``type`` in the parts of a config that this package's registries build."""
    if isinstance(node, dict):
        if node.get('type') is not None:
            yield where, node
        for key, item in node.items():
            yield from _parts(f'{where}.{key}', item)
    elif isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _parts(f'{where}.{index}', item)


def _resolve(kind: Any) -> Any:
    """The class behind a ``type``; None for names that only mmengine's own registries know."""
    if not isinstance(kind, str):
        return kind
    parts = (registry.BACKBONES, registry.ALIGNERS, registry.FLOW_ESTIMATORS, registry.LOSSES)
    for known in (*parts, registry.MODELS, registry.DATASETS, registry.METRICS):
        if kind in known or '.' in kind:
            return known.get(kind)
    return None


def plain_config(cfg: ConfigDict | dict[str, Any]) -> dict[str, Any]:
    """A part of a config as plain values, its classes as their names: what a published file carries."""
    if isinstance(cfg, dict):
        return {key: plain_config(value) for key, value in cfg.items()}
    if isinstance(cfg, list | tuple):
        return [plain_config(value) for value in cfg]
    if not inspect.isclass(cfg):
        return cfg
    return cfg.__name__ if _resolve(cfg.__name__) is cfg else f'{cfg.__module__}.{cfg.__qualname__}'
