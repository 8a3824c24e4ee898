"""Checkpoints that hold tensors and plain values only, and are loaded without running code from them."""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rawtoolbox.files.atomic import atomic_path, sha256

TENSORS_HASH = 'tensors_sha256'  # in a checkpoint's meta
BACKBONE = 'backbone.'
# Every way of mmengine to name a checkpoint that is no local file. It unpickles what it fetches.
REMOTE = (
    *('http://', 'https://', 'modelzoo://', 'torchvision://', 'open-mmlab://', 'openmmlab://'),
    *('mmcls://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://'),
)
DAMAGE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
)
ALIGNER = 'aligner.'
DEEPEST = 32  # slashes in the place of a tensor in a checkpoint, among nested dicts and lists


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Loads a checkpoint of a training run, or a published one, from a local file.

    Replaces mmengine's loader for local files, which unpickles whatever it is given.

    Args:
        filename: A ``.pth`` file written by a run, or a ``.safetensors`` file written by ``tools/publish.py``.
        map_location: As in :func:`torch.load`.

    Returns:
        A dict with at least ``state_dict`` (names as in the whole model) and ``meta``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, is something else, or holds more than tensors and plain values.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f'No checkpoint {path}. Look in the work folder for epoch_*.pth or best_*.pth.'
        )
    if path.suffix == '.safetensors':
        tensors, meta = load_published(path, map_location)
        checkpoint = {
            'state_dict': {BACKBONE + name: tensor for name, tensor in tensors.items()},
            'meta': meta,
        }
    else:
        loaded = _unpickled(path, map_location)
        if not isinstance(loaded, Mapping):
            raise ValueError(f'{path} holds a {type(loaded).__name__}, not a checkpoint.')
        checkpoint = dict(loaded) if 'state_dict' in loaded else {'state_dict': loaded}
    _check_content(checkpoint, path)
    return checkpoint


def _unpickled(path: Path, map_location: Any) -> Any:
    """The tensors and plain values of a ``.pth`` file."""
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own message recommends to run the code
        raise ValueError(
            f'{path} is refused: it is no checkpoint of tensors and plain values, and loading it could run code. '
            'Convert official weights by tools/convert_weights/.'
        ) from error
    except DAMAGE as error:
        raise ValueError(
            f'{path} is damaged or no checkpoint: {_first_line(error)}. Copy it anew.'
        ) from error


def _check_content(checkpoint: dict[str, Any], path: Path) -> None:
    """Refuses what is no named tensors, and drops what mmengine's Runner would run as Python on resuming."""
    meta = checkpoint.setdefault('meta', {})
    if not isinstance(meta, Mapping):
        raise ValueError(f'{path} is no checkpoint: expected a dict as meta, found a {type(meta).__name__}.')
    for name in ('state_dict', 'ema_state_dict'):
        check_tensors(checkpoint.get(name) or {}, path, name)
    everything = {key: value for key, value in checkpoint.items() if key != 'meta'}
    check_tensors(dict(_tensors('', everything)), path, 'content')
    if TENSORS_HASH in meta and tensors_hash(checkpoint) != meta[TENSORS_HASH]:
        raise ValueError(
            f'{path} is damaged: its tensors do not have the hash that it carries. Copy it anew.'
        )
    checkpoint['meta'] = {
        key: value for key, value in meta.items() if key != 'config' or isinstance(value, dict)
    }


def check_tensors(state: Any, path: Path, what: str) -> None:
    """Refuses what is no plain tensors by name, and views that claim to be larger than the file.

    Args:
        state: What a file holds.
        path: The file.
        what: How messages call it.

    Raises:
        ValueError: It is refused.
    """
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and name.isprintable() and isinstance(value, torch.Tensor)
        for name, value in state.items()
    ):
        raise ValueError(f'{path} is no checkpoint: expected named tensors as {what}.')
    for value in state.values():
        if value.layout != torch.strided or value.is_nested or value.is_quantized or value.is_complex():
            raise ValueError(f'{path} is no checkpoint: expected plain tensors of real numbers as {what}.')
    claimed, size = sum(value.numel() * value.element_size() for value in state.values()), path.stat().st_size
    if claimed > 2 * size:  # weights may be tied, but a view may claim anything
        raise ValueError(f'{path} is no checkpoint: its {what} claims {claimed} bytes, the file has {size}.')


@CheckpointLoader.register_scheme(prefixes=REMOTE, force=True)
def refuse_remote(filename: str, map_location: Any = None) -> None:
    """Stands in for mmengine's loaders of other places, which run code from what they fetch.

    Raises:
        ValueError: Always.
    """
    raise ValueError(
        f'{filename} is refused: a checkpoint is loaded from a local file only. Download it, compare its hash with '
        'the published one, and name the file.'
    )


def _first_line(error: Exception) -> str:
    return str(error).partition('\n')[0] or 'it is empty'


def load_published(
    path: str | Path, map_location: Any = None
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Loads a published backbone: its tensors and what was written beside them.

    Args:
        path: A ``.safetensors`` file.
        map_location: A device, or None for the CPU.

    Returns:
        Tensors by their name in the backbone, and the metadata (``config``: dict to build the backbone from).

    Raises:
        ValueError: The file is damaged or of another kind.
    """
    try:
        with safe_open(path, framework='pt', device=str(map_location or 'cpu')) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f'{path} is damaged or no safetensors file: {error}. Copy it anew.') from error
    try:
        return tensors, {key: json.loads(value) for key, value in metadata.items() if key != 'format'}
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: what it says of itself cannot be read ({error}). Copy it anew.') from error


def publish(
    checkpoint: str | Path,
    out: str | Path,
    config: dict[str, Any],
    extra: dict[str, Any],
    part: str = 'backbone',
    dtype: torch.dtype | None = None,
) -> str:
    """Writes one network of a training checkpoint alone, with its config inside.

    Args:
        checkpoint: A ``.pth`` file of a training run.
        out: The ``.safetensors`` file to write.
        config: Plain config of the network (``type`` as a string).
        extra: Other plain values to keep, such as the camera's levels.
        part: Where the network is in the model: ``'backbone'``, ``'aligner.colour_mapper'``, ``'flow_estimator'``.
        dtype: Type that floating-point weights are written in; None for their own.

    Returns:
        SHA-256 of the written file.

    Raises:
        ValueError: The checkpoint has no such network, or weights of it are NaN or infinite.
    """
    loaded = load_local(str(checkpoint), 'cpu')
    tensors = {
        name: (t.to(dtype) if dtype and t.is_floating_point() else t).contiguous()
        for name, t in weights_under(f'{part}.', loaded).items()
    }
    if not tensors:
        raise ValueError(
            f'{checkpoint} has no weights named {part}.*: it is the checkpoint of another model.'
        )
    check_weights(tensors, str(checkpoint))
    metadata = {key: json.dumps(value) for key, value in {'config': config, **extra}.items()}
    with atomic_path(out) as temporary:
        save_file(tensors, temporary, metadata)
        _sort_metadata(temporary)
    return sha256(out)


def _sort_metadata(path: Path) -> None:
    """Puts the metadata of a safetensors file in order: its library writes them in another one each time."""
    with path.open('r+b') as file:
        size = int.from_bytes(file.read(8), 'little')
        head = json.loads(file.read(size))
        head['__metadata__'] = dict(sorted(head['__metadata__'].items()))
        content = json.dumps(head, separators=(',', ':'), ensure_ascii=False).encode()
        if len(content) > size:
            raise ValueError(f'{path}: its head could not be put in order.')
        file.seek(8)
        file.write(content.ljust(size))


def weights_under(prefix: str, checkpoint: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Weights of one part of a model, by their names in the part.

    Where weights were averaged (mmengine's ``EMAHook``), ``state_dict`` holds the averages: the hook exchanges them
    with the weights that are trained, which it stores as ``ema_state_dict`` in order to go on with them.

    Args:
        prefix: Of the part's names, such as ``'backbone.'``.
        checkpoint: What :func:`load_local` gave.
    """
    state = {name.removeprefix('module.'): tensor for name, tensor in checkpoint['state_dict'].items()}
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def check_weights(tensors: Mapping[str, torch.Tensor], what: str) -> None:
    """Checks that no weight is NaN or infinite.

    Args:
        tensors: Weights by name.
        what: How the message calls where they are from.

    Raises:
        ValueError: Some are; the message names the first such layer.
    """
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if bad:
        kind = str(tensors[bad[0]].dtype).removeprefix('torch.')
        raise ValueError(
            f'{what}: weights of {bad[0]} are NaN or infinite in {kind} (as those of {len(bad) - 1} other layers): '
            'take an earlier checkpoint, or keep float32 where a smaller type cannot hold them.'
        )


def check_fits(state: Mapping[str, torch.Tensor], model: torch.nn.Module, only: str, what: str) -> None:
    """Checks that the weights under a prefix are exactly those that the model has there.

    Args:
        state: Loaded weights.
        model: The model that is to take them.
        only: Prefix of the names compared, such as ``'backbone.'``.
        what: How the message calls the weights.

    Raises:
        ValueError: Names or shapes differ; the message lists some of them.
    """
    have = {name: tuple(t.shape) for name, t in state.items() if name.startswith(only)}
    want = {name: tuple(t.shape) for name, t in model.state_dict().items() if name.startswith(only)}
    if have == want:
        return
    missing, unexpected = sorted(want.keys() - have.keys()), sorted(have.keys() - want.keys())
    shapes = [
        f'{n} {have[n]} instead of {want[n]}' for n in sorted(have.keys() & want.keys()) if have[n] != want[n]
    ]
    parts = [
        f'{len(names)} {kind} ({", ".join(names[:3])}{", ..." if len(names) > 3 else ""})'
        for kind, names in (('missing', missing), ('unexpected', unexpected), ('of another shape', shapes))
        if names
    ]
    raise ValueError(
        f'{what} belong to another network: {"; ".join(parts)}. Check that config and checkpoint match.'
    )


def provenance(checkpoint: str | Path) -> dict[str, Any]:
    """What a run's checkpoint says of how it came about: its config, seed and length.

    Returns:
        ``config`` (the whole, as Python), ``seed``, ``iterations``, ``epochs`` and ``torch`` (version of it).
    """
    meta = load_local(str(checkpoint), 'cpu')['meta']
    done = {'iterations': meta.get('iter'), 'epochs': meta.get('epoch')}
    return {'config': meta.get('cfg'), 'seed': meta.get('seed'), **done, 'torch': torch.__version__}


def checkpoint_id(path: str | Path) -> str:
    """Name and hash of a checkpoint, as results quote it."""
    return f'{Path(path).name} sha256:{sha256(path)[:16]}'


def checkpoints_in(work_dir: str | Path) -> list[Path]:
    """Checkpoints of a run in its work folder, wherever that has been moved to: the newest first.

    mmengine writes an absolute path into ``last_checkpoint``; only its name counts here.
    """
    folder = Path(work_dir)
    found = [*folder.glob('epoch_*.pth'), *folder.glob('iter_*.pth')]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    pointer = folder / 'last_checkpoint'
    named = folder / Path(pointer.read_text().strip()).name if pointer.is_file() else folder
    return [named, *(path for path in found if path != named)] if named.is_file() else found


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest whole checkpoint in a work folder; damaged ones are passed over with a warning."""
    for path in checkpoints_in(work_dir):
        try:
            load_local(str(path), 'cpu')
        except ValueError as error:
            warnings.warn(f'{error} Passed over for the one before it.', stacklevel=2)
            continue
        return path
    return None


def tensors_hash(checkpoint: Mapping[str, Any]) -> str:
    """SHA-256 of all tensors of a checkpoint, with their places, so that a flipped bit is noticed.

    Args:
        checkpoint: Nested dicts and lists; what stands under ``meta`` is left out.
    """
    digest = hashlib.sha256()
    for place, tensor in _tensors('', {key: value for key, value in checkpoint.items() if key != 'meta'}):
        digest.update(f'{place} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tensors(place: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if place.count('/') > DEEPEST:
        raise ValueError(
            'It is no checkpoint of this toolbox: expected tensors, found lists in lists without end.'
        )
    if isinstance(value, torch.Tensor):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(f'{place}/{key}', item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _tensors(f'{place}/{index}', item)
