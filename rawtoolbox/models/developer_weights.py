"""The network that the package ships: its weights, and how it is built."""

from __future__ import annotations

import json
from pathlib import Path

from rawtoolbox.models.raw_developer import RawDeveloper
from rawtoolbox.weights.checkpoint import check_fits, load_published

DEFAULT = Path(__file__).parents[1] / 'weights' / 'developunet_photographs.safetensors'


def load_developer(path: str | Path = DEFAULT) -> RawDeveloper:
    """A raw developer with its weights, ready for inference.

    Args:
        path: A published file; by default the package's own.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or holds another kind of network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: expected the weights of a raw developer, found no file. Reinstall.')
    tensors, metadata = load_published(path)
    if metadata.get('predicts') != RawDeveloper.predicts:
        raise ValueError(
            f'{path}: expected a network that predicts {RawDeveloper.predicts}, '
            f'found {json.dumps(metadata.get("predicts"))}.'
        )
    developer = RawDeveloper({'type': 'DevelopUNet'})
    check_fits(tensors, developer.backbone, '', f'The weights in {path}')
    developer.backbone.load_state_dict(tensors)
    return developer.eval()
