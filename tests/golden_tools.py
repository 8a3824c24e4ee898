"""Reads tests/golden/*.npz, outputs of the official implementations, and compares with them.

Weights and inputs follow closed formulae, so a file holds no weights: a network is filled by the rule below
and run on the stored input. Run it in float64: the stored float64 reference then agrees to 1e-6 of its
largest magnitude.

    golden = load('liteispnet')
    network = fill(LiteISPNet(), golden, rename=liteispnet_key).double().eval()
    output = network(*inputs(golden, 'c0').values())
    assert_close(output, expected64(golden, 'c0')['rgb'])
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / 'golden'


class Golden(NamedTuple):
    """A golden file: its arrays, its tensors' names and rules in official order, and its description."""

    arrays: dict[str, np.ndarray]
    keys: list[dict]
    meta: dict


def load(name: str) -> Golden:
    """Reads ``tests/golden/<name>.npz``."""
    with np.load(FOLDER / f'{name}.npz', allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    keys = json.loads(arrays.pop('keys').item()) if 'keys' in arrays else []
    return Golden(arrays, keys, json.loads(arrays.pop('meta').item()) if 'meta' in arrays else {})


def rule_value(key: dict) -> np.ndarray | None:
    """The float32 values of one tensor by the rule; None where the official value is kept."""
    element = np.arange(int(np.prod(key['shape'], dtype=np.int64)))
    phase = (element * element) % 65521 if key['kind'] == 'matrix' else element
    wave = np.cos(0.37 * phase + 0.11 * (key.get('i') or 0) + 0.5)
    match key['kind']:
        case 'matrix':
            value = np.sqrt(2 / np.prod(key['shape'][1:])) * key['gain'] * wave
        case 'bias':
            value = 0.01 * wave
        case 'gain1d':
            value = 1 + 0.05 * wave
        case 'running_mean':
            value = 0.02 * wave
        case 'running_var':
            value = 1 + 0.2 * wave**2
        case _:
            return None
    return value.astype(np.float32).reshape(key['shape'])


def weights(golden: Golden) -> dict[str, Tensor]:
    """The official float32 state dict by the rule, checked against the stored sums, without constants."""
    state = {}
    for key, check in zip(golden.keys, golden.arrays['wcheck'], strict=True):
        value = rule_value(key)
        if value is not None:
            found = _summary(value)
            assert np.allclose(found, check, rtol=1e-6, atol=1e-6), f'{key["name"]}: {found} is not {check}'
            state[key['name']] = torch.from_numpy(value)
    return state


def _summary(value: np.ndarray) -> np.ndarray:
    flat = value.astype(np.float64).ravel()
    return np.array([flat[0], flat[-1], flat.sum(), np.abs(flat).sum()])


def fill(module: nn.Module, golden: Golden, rename: Callable[[str], str | None] | None = None) -> nn.Module:
    """Fills a network by the rule and returns it; every floating-point tensor must get a value.

    Args:
        module: The network; tensors that the golden file keeps constant keep the network's own value.
        golden: What ``load`` returned.
        rename: From an official name to the network's, or None to leave that tensor out.
    """
    rename = rename or (lambda name: name)
    state = {rename(name): value for name, value in weights(golden).items()}
    state.pop(None, None)
    constant = {rename(key['name']) for key in golden.keys if rule_value(key) is None}
    missing, unexpected = module.load_state_dict(state, strict=False)
    missing = [name for name in missing if name not in constant and not name.endswith('num_batches_tracked')]
    assert not missing and not unexpected, f'not filled: {missing[:5]}; left over: {unexpected[:5]}'
    return module


def inputs(golden: Golden, case: str, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """The stored inputs of a case (``'c0'``), by name, in the official order."""
    return _entries(golden, f'{case}.in.', dtype)


def expected64(golden: Golden, case: str) -> dict[str, Tensor]:
    """The official float64 outputs of a case, by name."""
    return _entries(golden, f'{case}.out64.', torch.float64)


def expected32(golden: Golden, case: str) -> dict[str, Tensor]:
    """The official float32 outputs of a case, by name."""
    return _entries(golden, f'{case}.out.', torch.float32)


def middles(golden: Golden, case: str = 'c0') -> dict[str, Tensor]:
    """The outputs of official submodules (float32 run), by the submodule's name."""
    return _entries(golden, f'{case}.mid.', torch.float32)


def _entries(golden: Golden, prefix: str, dtype: torch.dtype) -> dict[str, Tensor]:
    found = {
        key.removeprefix(prefix): value for key, value in golden.arrays.items() if key.startswith(prefix)
    }
    return {key: torch.from_numpy(value).to(dtype) for key, value in found.items()}


def assert_close(actual: Tensor, expected: Tensor, rtol: float = 1e-6) -> None:
    """Asserts equal shapes, and a largest difference below ``rtol`` times the largest expected magnitude."""
    assert actual.shape == expected.shape, f'{tuple(actual.shape)} is not {tuple(expected.shape)}'
    difference = (actual.double() - expected.double()).abs().max().item()
    largest = expected.abs().max().item()
    assert difference <= rtol * largest, f'differs by {difference:g}, {difference / largest:g} of the largest'


def assert_close32(actual: Tensor, expected: Tensor, stds: float = 2e-4) -> None:
    """Asserts that a float32 output is within ``stds`` standard deviations of the official float32 one."""
    assert actual.shape == expected.shape, f'{tuple(actual.shape)} is not {tuple(expected.shape)}'
    difference = (actual.double() - expected.double()).abs().max().item() / expected.double().std().item()
    assert difference <= stds, f'differs by {difference:g} standard deviations'
