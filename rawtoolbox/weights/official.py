"""Official weights under this project's names: found, read without running code, renamed, checked."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rawtoolbox.files.atomic import atomic_path
from rawtoolbox.registry import ALIGNERS, BACKBONES, FLOW_ESTIMATORS, Registry
from rawtoolbox.weights.checkpoint import DAMAGE, check_fits, check_tensors
from rawtoolbox.weights.imagenet import VARIABLE, search_folders

KeyMap = Callable[[str], str | None]
Rule = tuple[str, str | Callable[[re.Match], str] | None]

WRAPPERS = ('state_dict', 'model_state', 'params_ema', 'params')  # model_state: AWNet's .pkl
PRETRAINED = 'pretrained'


class Official(NamedTuple):
    """A network whose official weights can be taken over.

    Attributes:
        registry: Where our network is registered.
        config: From a file's tensors, under our names, to the config of the network that they belong to.
        rename: From an official name to ours; None for a constant that ours does not keep.
        files: Names under which the file is looked for when no other name is given.
        origin: Which file that is, and where it is published, for messages.
    """

    registry: Registry
    config: Callable[[Mapping[str, Tensor]], dict[str, Any]]
    rename: KeyMap
    files: tuple[str, ...]
    origin: str


def convert_file(official: Official, source: str | Path, out: str | Path) -> dict[str, Any]:
    """Turns an official file into one of ours, with the network's config inside.

    Args:
        official: The network that the file is of.
        source: The official file, or its bare name; see ``find_weights_file``.
        out: The ``.safetensors`` file to write.

    Returns:
        The network's config.

    Raises:
        FileNotFoundError: There is no file ``source``.
        ValueError: It is damaged, could run code, or belongs to another network; ``out`` has another suffix.
    """
    if Path(out).suffix != '.safetensors':
        raise ValueError(f'{out}: converted weights are written to a .safetensors file.')
    source = find_weights_file(source, official)
    state = rename_state(read_tensors(source), official.rename)
    config = official.config(state)
    with torch.device('meta'):
        network = official.registry.build(config)
    check_fits(state, network, '', f'The weights in {source}')
    with atomic_path(out) as temporary:
        tensors = {name: tensor.contiguous() for name, tensor in state.items()}
        save_file(tensors, temporary, {'config': json.dumps(config)})
    return config


def load_weights_file(module: nn.Module, path: str | Path, official: Official) -> None:
    """Loads a converted or an official file into a network.

    Args:
        module: The network.
        path: The file, its bare name, or ``'pretrained'``; see ``find_weights_file``.
        official: The network's entry.

    Raises:
        FileNotFoundError: There is no such file; the message says where to get it.
        ValueError: It is damaged, could run code, or belongs to another network.
    """
    path = find_weights_file(path, official)
    state, ours = read_tensors(path), module.state_dict().keys()
    # Official names may be partly the same as ours, and a file that does not fit is to be told of in its own names.
    state = min(state, rename_state(state, official.rename), key=lambda names: len(names.keys() ^ ours))
    check_fits(state, module, '', f'The weights in {path}')
    module.load_state_dict(state)


def find_weights_file(path: str | Path, official: Official) -> Path:
    """The file itself, or the one of that name in a folder of ``$RAWTOOLBOX_WEIGHTS`` or torch hub's cache.

    Args:
        path: A path, a bare name, or ``'pretrained'`` for any of the names in ``official.files``.
        official: The network's entry.

    Raises:
        FileNotFoundError: See ``load_weights_file``.
    """
    names = official.files if str(path) == PRETRAINED else (str(path),)
    folders = [Path(), *search_folders()]
    candidates = (folder / Path(name).expanduser() for name in names for folder in folders)
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f'{" or ".join(names)} is neither here nor in {" or ".join(map(str, folders[1:]))}. '
            f'Get {official.origin}, and put it into a folder that ${VARIABLE} names, or give its path.'
        )
    return found


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Reads named tensors; unwraps ``{'state_dict': ...}`` and drops the prefix of ``DataParallel``.

    Raises:
        ValueError: The file is damaged, holds something else, or could run code when loaded.
    """
    path = Path(path)
    try:
        if path.suffix == '.safetensors':
            return load_file(path)
        state = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'{path} is refused: it holds more than tensors, and loading it could run code. '
            'Use a file of plain tensors.'
        ) from error
    except (*DAMAGE, SafetensorError) as error:
        reason = str(error).partition('\n')[0]
        raise ValueError(f'{path} is damaged or no file of weights ({reason}). Fetch it anew.') from error
    for wrapper in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    check_tensors(state, path, 'weights')
    return {name.removeprefix('module.'): tensor for name, tensor in state.items()}


def rename_state(state: Mapping[str, Tensor], rename: KeyMap) -> dict[str, Tensor]:
    """The tensors under new names, without those whose new name is None."""
    renamed = {rename(name): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in renamed.items() if name is not None}


def key_map(*rules: Rule) -> KeyMap:
    """A map of names from rules ``(pattern, replacement)``, each applied to what those before it left.

    A replacement of None drops the name; a name that no rule knows stays as it is.

    >>> rename = key_map((r'^taps$', None), (r'^align_', ''))
    >>> rename('align_head.weight'), rename('taps')
    ('head.weight', None)
    """

    def rename(name: str) -> str | None:
        for pattern, replacement in rules:
            if replacement is not None:
                name = re.sub(pattern, replacement, name)
            elif re.search(pattern, name):
                return None
        return name

    return rename


# Blocks of layers/rcab.py; MW-ISPNet writes CA where LiteISPNet writes ca.
RCAB_RULES: tuple[Rule, ...] = (
    (r'\.(rg|res)\.', '.body.'),
    (r'\.(ca|CA)\.conv_du\.0\.', '.attention.squeeze.'),
    (r'\.(ca|CA)\.conv_du\.2\.', '.attention.excite.'),
)

liteispnet_key = key_map(
    (r'^(down1\.3|down[23]\.2|up[123]\.0)\.weight$', None),  # the wavelet's constant taps
    (r'^(up\d)\.(\d)\.', lambda match: f'{match[1]}.{int(match[2]) - 1}.'),
    (r'^pre_coord\.', 'coord_predictor.'),
    *RCAB_RULES,
)

gcm_key = key_map(
    (r'^guide_net\.3\.', 'guide_net.6.'),
    (r'^guide_net\.0\.0\.', 'guide_net.0.'),
    (r'^guide_net\.1\.(\d)\.', lambda match: f'guide_net.{int(match[1]) + 2}.'),
    (r'^align_head\.', 'head.'),
    (r'^align_base\.(\d)\.', lambda match: f'body.{int(match[1]) // 2}.0.'),
    (r'^align_tail\.', 'tail.'),
)

_COUNT = {word: str(number) for number, word in enumerate(('One', 'Two', 'Thr', 'Fou', 'Fiv', 'Six'))}

pwcnet_key = key_map(
    (r'(?<![^.])(net|module)(?=[A-Z])', ''),  # module... in the older files
    (r'One|Two|Thr|Fou|Fiv|Six', lambda match: _COUNT[match[0]]),
    (r'^Extractor\.(\d)\.(\d)\.', lambda match: f'extractor.levels.{match[1]}.{int(match[2]) // 2}.0.'),
    (r'^Refiner\.Main\.12\.', 'refiner.6.'),
    (r'^Refiner\.Main\.(\d+)\.', lambda match: f'refiner.{int(match[1]) // 2}.0.'),
    (r'^(\d)\.5\.0\.', r'\1.predict.'),
    (r'^(\d)\.(?=\d)', r'\1.layers.'),
    (r'^(\d)\.Upflow\.', r'\1.upsample_flow.'),
    (r'^(\d)\.Upfeat\.', r'\1.upsample_features.'),
    (r'^(\d)\.', lambda match: f'decoders.{5 - int(match[1])}.'),
)


def _liteispnet_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {'type': 'LiteISPNet', 'coord_predictor': 'coord_predictor.fc.0.weight' in state}


def _gcm_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    head = state.get('head.0.weight')
    return {'type': 'GCM', 'coord': head is None or head.shape[1] == 5}


LITEISPNET = Official(
    BACKBONES,
    _liteispnet_config,
    liteispnet_key,
    ('liteispnet.safetensors', 'LiteISPNet_model_80.pth'),
    'LiteISPNet_model_80.pth from the release of cszhilu1998/RAW-to-sRGB',
)
GCM = Official(
    ALIGNERS,
    _gcm_config,
    gcm_key,
    ('gcm.safetensors', 'GCMModel_model_80.pth'),
    'GCMModel_model_80.pth from the release of cszhilu1998/RAW-to-sRGB',
)
PWCNET = Official(
    FLOW_ESTIMATORS,
    lambda state: {'type': 'PWCNet', 'weights': None},
    pwcnet_key,
    ('pwcnet.safetensors', 'pwc-net.pth', 'network-default.pytorch'),
    'network-default.pytorch of sniklaus/pytorch-pwc, or pwc-net.pth from the release of '
    'cszhilu1998/RAW-to-sRGB (DISFlow needs no file)',
)

OFFICIAL = {'liteispnet': LITEISPNET, 'gcm': GCM, 'pwcnet': PWCNET}
