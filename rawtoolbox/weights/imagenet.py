"""Where ImageNet weights of others come from: a folder of one's own, torch hub's cache, or a download."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import re
import urllib.request
from pathlib import Path

import torch
from mmengine.logging import print_log
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

VARIABLE = 'RAWTOOLBOX_WEIGHTS'
OFFLINE_VARIABLES = ('RAWTOOLBOX_OFFLINE', 'HF_HUB_OFFLINE')
URL = 'https://download.pytorch.org/models/'
TIMEOUT = 10  # seconds without an answer

# torchvision's IMAGENET1K_V1 files; the hexadecimal part is the start of the file's SHA-256
OFFICIAL_FILES = {
    'alexnet': 'alexnet-owt-7be5be79.pth',
    'vgg16': 'vgg16-397923af.pth',
    'vgg19': 'vgg19-dcbb9e9d.pth',
}


def find_weights(name: str) -> Path:
    """Finds torchvision's ImageNet weights of a network, and downloads them where that is allowed.

    Looked for, in this order: in the folders that ``$RAWTOOLBOX_WEIGHTS`` names (several are separated as in
    ``$PATH``), torchvision's own file name (``vgg19-dcbb9e9d.pth``) or ``<name>_features*.safetensors`` with
    torchvision's ``features.*`` keys, half precision allowed; in torch hub's cache; at torchvision's address.
    ``RAWTOOLBOX_OFFLINE=1`` and ``HF_HUB_OFFLINE=1`` forbid the last.

    Args:
        name: ``'alexnet'``, ``'vgg16'`` or ``'vgg19'``.

    Returns:
        The file.

    Raises:
        KeyError: No such network is known.
        FileNotFoundError: Nowhere to be had; the message says which file to put where.
    """
    if name not in OFFICIAL_FILES:
        raise KeyError(f'No weights are known for {name!r}. Known: {", ".join(OFFICIAL_FILES)}.')
    found = next((file for folder in search_folders() for file in _candidates(folder, name)), None)
    return found or _download_official(name)


def load_weights(name: str) -> dict[str, Tensor]:
    """Loads the convolutions of a network: torchvision's ``features.*`` entries, in float32, on the CPU.

    Raises:
        KeyError, FileNotFoundError: See ``find_weights``.
        ValueError: The file found cannot be read, or holds no such entries.
    """
    path = find_weights(name)
    try:
        state = load_file(path) if path.suffix == '.safetensors' else torch.load(path, weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).partition('\n')[0]
        raise ValueError(f'{path} cannot be read ({reason}). Remove it and fetch it anew.') from error
    features = {key: value.float() for key, value in state.items() if key.startswith('features.')}
    if not features:
        raise ValueError(f"{path}: expected torchvision's keys features.*, found {list(state)[:3]}.")
    print_log(f'ImageNet weights of {name}: {path}', logger='current', level=logging.INFO)
    return features


def search_folders() -> list[Path]:
    """The folders that are searched: those of ``$RAWTOOLBOX_WEIGHTS``, then torch hub's cache."""
    named = [Path(folder).expanduser() for folder in os.environ.get(VARIABLE, '').split(os.pathsep) if folder]
    return [*named, Path(torch.hub.get_dir()) / 'checkpoints']


def download(url: str, path: Path) -> None:
    """Downloads a file, checks it by the hash in its name, and only then gives it that name.

    Args:
        url: Its last part ends in ``-<start of the SHA-256>.<suffix>``.
        path: Where the file is to stand.

    Raises:
        OSError: No connection, or it broke.
        ValueError: What came does not have the hash.
    """
    expected, digest = re.search(r'-([0-9a-f]{8,})\.', url).group(1), hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, partial.open('wb') as file:
            size = int(answer.headers.get('Content-Length', 0)) or None
            with tqdm(total=size, unit='B', unit_scale=True, desc=path.name) as bar:
                while block := answer.read(1 << 20):
                    digest.update(block)
                    bar.update(file.write(block))
        found = digest.hexdigest()[: len(expected)]
        if found != expected:
            raise ValueError(f'{url}: expected a SHA-256 that starts with {expected}, found {found}.')
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _candidates(folder: Path, name: str) -> list[Path]:
    """The files in a folder that may hold the weights, the official one first."""
    official = folder / OFFICIAL_FILES[name]
    return [official] * official.is_file() + sorted(folder.glob(f'{name}_features*.safetensors'))


def _download_official(name: str) -> Path:
    file = OFFICIAL_FILES[name]
    path = search_folders()[-1] / file
    forbidden = [variable for variable in OFFLINE_VARIABLES if _is_on(variable)]
    try:
        if forbidden:
            raise ConnectionError(f'forbidden by {forbidden[0]}')
        download(URL + file, path)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f'{name}: {file} is neither in ${VARIABLE} ({os.environ.get(VARIABLE) or "not set"}) nor in '
            f'{path.parent}, and the download failed ({error}). Fetch {URL}{file} elsewhere and put it into '
            f'one of these, or into a folder that ${VARIABLE} is to name.'
        ) from error
    return path


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, '').lower() in ('1', 'true', 'on', 'yes')
