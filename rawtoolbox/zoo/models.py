"""The models of this project: listed, built with their weights, and written down as model_zoo.md."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.deployment.complexity import count_macs, count_parameters
from rawtoolbox.engine.config import load_config, plain_config
from rawtoolbox.files.share import shared_folder
from rawtoolbox.models.developer_weights import load_developer
from rawtoolbox.registry import BACKBONES, suggest
from rawtoolbox.weights.checkpoint import BACKBONE, check_fits, load_local, weights_under
from rawtoolbox.weights.official import OFFICIAL, Official, load_weights_file
from rawtoolbox.weights.official_names import OFFICIAL_BACKBONES

METAFILE = shared_folder('configs') / 'metafile.yml'
PROTOCOLS = ('Original GT', 'Align GT with raw', 'Align GT with result')
SCORES = {'PSNR': '{:.2f}', 'SSIM': '{:.4f}', 'LPIPS': '{:.3f}'}
SIZE = 448  # side of the sRGB image that costs are given for
OFFICIAL_WEIGHTS = 'official'
DEFAULT_MODEL = 'default'


@dataclass(frozen=True)
class Cost:
    """What a network costs for one sRGB image of 448x448.

    Attributes:
        parameters: Numbers that training can change.
        macs: Multiply-accumulates.
    """

    parameters: int
    macs: int


@dataclass
class ModelEntry:
    """A model of the metafile.

    Attributes:
        name: Name of the model and its config.
        collection: Name, paper and code of the network.
        entry: What the metafile says of it.
        folder: Folder that the config's path starts from.
    """

    name: str
    collection: dict[str, Any]
    entry: dict[str, Any]
    folder: Path = field(repr=False, default=METAFILE.parents[1])

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / self.entry['Config']

    @property
    def data(self) -> str:
        """What it is trained on."""
        return str(self.entry.get('Metadata', {}).get('Training Data', ''))

    @property
    def results(self) -> list[dict[str, Any]]:
        """Scores, the paper's and ours: dicts with Dataset, Source and Metrics."""
        return self.entry.get('Results', [])

    @property
    def latencies(self) -> list[dict[str, Any]]:
        """Times: dicts with Device, Milliseconds and Source."""
        return self.entry.get('Metadata', {}).get('Latency', [])

    @property
    def official_weights(self) -> dict[str, str] | None:
        """Which official file can be taken over: File, Converter, Licence, SHA256."""
        return self.entry.get('Official Weights')

    @cached_property
    def backbone(self) -> dict[str, Any]:
        """Config of the network, as plain values."""
        return plain_config(load_config(self.config).model.backbone)

    @cached_property
    def cost(self) -> Cost:
        """Parameters and multiply-accumulates, computed without memory or time."""
        return network_cost(self.backbone)


_costs: dict[str, Cost] = {}


def network_cost(backbone: dict[str, Any]) -> Cost:
    """Parameters, and multiply-accumulates for one sRGB image of 448x448.

    Args:
        backbone: Config of the network.
    """
    key = json.dumps(backbone, sort_keys=True)
    if key not in _costs:
        with torch.device('meta'):
            network = BACKBONES.build(backbone).eval()
            form = getattr(network, 'raw_input', RawInput())
            side = round(SIZE / form.scale)
            raw, coord = torch.empty(1, form.channels, side, side), torch.empty(1, 2, side, side)
        _costs[key] = Cost(count_parameters(network), count_macs(network, raw, coord))
    return _costs[key]


def read_metafile(path: str | Path = METAFILE) -> dict[str, ModelEntry]:
    """Reads the models by name.

    Raises:
        FileNotFoundError: There is no metafile: it is part of a checkout, not of the installed package.
        ValueError: It lacks something, or names a model twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: expected the list of models, found none. It comes with a checkout of the project: '
            'install it by "pip install -e .", or give its path.'
        )
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        collections = {entry['Name']: entry for entry in content['Collections']}
        models = [
            ModelEntry(entry['Name'], collections[entry['In Collection']], entry, path.absolute().parents[1])
            for entry in content['Models']
        ]
        missing = [model.name for model in models if 'Config' not in model.entry]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: no valid metafile ({type(error).__name__}: {error}).') from error
    twice = sorted({model.name for model in models if [m.name for m in models].count(model.name) > 1})
    if twice or missing:
        raise ValueError(f'{path}: listed twice or without a config: {", ".join([*twice, *missing])}.')
    return {model.name: model for model in models}


def list_models(
    pattern: str = '*',
    data: str | None = None,
    collection: str | None = None,
    metafile: str | Path = METAFILE,
) -> list[str]:
    """Names of the models, in the metafile's order.

    >>> list_models('gcm_liteisp_z*')
    ['gcm_liteisp_zrr', 'gcm_liteisp_zrrresplit']

    Args:
        pattern: Which names; ``*`` stands for anything.
        data: Only those trained on it, such as ``'ZRR'``.
        collection: Only those of a network, such as ``'AWNet'``.
        metafile: The list of models.
    """
    return [
        name
        for name, model in read_metafile(metafile).items()
        if fnmatch.fnmatch(name, pattern)
        and (data is None or model.data.lower() == data.lower())
        and (collection is None or model.collection['Name'].lower() == collection.lower())
    ]


def find_model(name: str, metafile: str | Path = METAFILE) -> ModelEntry:
    """A model by its name.

    Raises:
        KeyError: There is none; the message names the nearest.
    """
    models = read_metafile(metafile)
    if name not in models:
        raise KeyError(f'No model {name!r}.{suggest(name, list(models))}')
    return models[name]


def get_model(name: str, weights: str | Path | None = None, metafile: str | Path = METAFILE) -> nn.Module:
    """Builds the network of a model: ``network(raw, coord)``, its ``raw_input`` saying what it takes.

    Args:
        name: Name of the model; see :func:`list_models`. ``'default'``: the raw developer of the package with its
            weights, :class:`rawtoolbox.models.RawDeveloper`, whose call is its own.
        weights: None for random ones; ``'official'`` for the official file, looked for in the folders that
            ``$RAWTOOLBOX_WEIGHTS`` names; or a file: a published or converted one (``.safetensors``), a training
            run's checkpoint, or an official one as it is.
        metafile: The list of models.

    Returns:
        The network, on the CPU, ready for inference.

    Raises:
        KeyError: There is no such model.
        FileNotFoundError: There is no such file; the message says where to get it.
        ValueError: The file is damaged or of another network, or there are no official weights.
    """
    if name == DEFAULT_MODEL:
        if weights is not None:
            raise ValueError(f'{name}: has weights of its own; leave weights out.')
        return load_developer()
    model = find_model(name, metafile)
    network = BACKBONES.build(model.backbone).eval()
    if weights is None:
        return network
    if str(weights) == OFFICIAL_WEIGHTS:
        if model.official_weights is None:
            raise ValueError(
                f'{name}: no official weights are known. Name a file, or train it: {model.config}'
            )
        load_weights_file(network, model.official_weights['File'].split(' ')[0], _official(model))
    elif _is_training_run(weights):
        _load_training_run(network, weights)
    else:
        load_weights_file(network, weights, _official(model))
    return network


def _official(model: ModelEntry) -> Official:
    """How official weights of the model's network are renamed."""
    known = OFFICIAL | OFFICIAL_BACKBONES
    kind = model.backbone['type'].rpartition('.')[2]
    for official in known.values():
        if official.config({})['type'] == kind:
            return official
    return Official(BACKBONES, lambda state: model.backbone, lambda name: name, (), f'weights of {kind}')


def _is_training_run(path: str | Path) -> bool:
    """Whether a file is a checkpoint of a training run of this project."""
    path = Path(path).expanduser()
    if path.suffix != '.pth' or not path.is_file():
        return False
    try:
        return any(name.startswith(BACKBONE) for name in load_local(str(path), 'cpu')['state_dict'])
    except (ValueError, AttributeError):
        return False  # told of when it is read as an official file


def _load_training_run(network: nn.Module, path: str | Path) -> None:
    loaded = load_local(str(path), 'cpu')
    weights = weights_under(BACKBONE, loaded)
    check_fits(weights, network, '', f'The weights in {path}')
    network.load_state_dict(weights)


def differences(metafile: str | Path = METAFILE) -> list[str]:
    """What the metafile and the folder of configs do not agree on, one sentence each."""
    folder = Path(metafile).parent
    listed = {model.config.name: model.name for model in read_metafile(metafile).values()}
    # the zoo is of networks from packed raw to sRGB: no flow estimators, and none that predicts camera RGB
    names = [path.name for path in folder.glob('*.py')]
    there = {name for name in names if not name.startswith('flow_') and not name.endswith('_photographs.py')}
    return [
        *(f'{name} is not in {Path(metafile).name}.' for name in sorted(there - listed.keys())),
        *(
            f'{listed[name]} names the config {name}, which is not there.'
            for name in sorted(listed.keys() - there)
        ),
        *(
            f'{model} has the config {name}.'
            for name, model in sorted(listed.items())
            if name != f'{model}.py'
        ),
    ]


def best_psnr(model: ModelEntry) -> float:
    """The highest PSNR that is known of a model, for sorting; minus infinity without any."""
    values = [scores.get('PSNR') for result in model.results for scores in result['Metrics'].values()]
    return max((value for value in values if value is not None), default=float('-inf'))


def sort_models(models: Sequence[ModelEntry], column: str) -> list[ModelEntry]:
    """Models by a column of the table: ``'name'``, ``'data'``, ``'params'``, ``'gmacs'``, ``'ms'`` or ``'psnr'``.

    Scores come best first, costs cheapest first, and what is not known last.

    Raises:
        ValueError: Another column.
    """
    keys = {
        'name': lambda model: model.name,
        'data': lambda model: (model.data, model.name),
        'params': lambda model: model.cost.parameters,
        'gmacs': lambda model: model.cost.macs,
        'ms': lambda model: min((entry['Milliseconds'] for entry in model.latencies), default=float('inf')),
        'psnr': lambda model: -best_psnr(model),
    }
    if column not in keys:
        raise ValueError(f'sort: {column!r} is no column.{suggest(column, list(keys))}')
    return sorted(models, key=keys[column])
