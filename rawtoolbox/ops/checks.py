"""Guards for the public functions: each says what was expected and what was found."""

from __future__ import annotations

import torch
from torch import Tensor


def check_shape(tensor: Tensor, pattern: str, name: str = 'tensor') -> dict[str, int]:
    """Checks a tensor's shape against a pattern written as in its docstring.

    Args:
        tensor: The tensor to check.
        pattern: One word per dimension: a number (that size), a letter (any size, the same letter meaning the
            same size) or ``_`` (any size). ``'N 3 H W'`` is a batch of RGB images.
        name: How the message calls the tensor.

    Returns:
        The size that each letter stands for.

    Raises:
        ValueError: The shape does not fit; not while ``torch.jit.trace`` looks on.
    """
    words, sizes = pattern.split(), {}
    if torch.jit.is_tracing():  # sizes are tensors here, and a comparison of them would end up in the graph
        return {w: size for w, size in zip(words, tensor.shape, strict=False) if w.isalpha()}
    fits = tensor.ndim == len(words)
    for word, size in zip(words, tensor.shape, strict=False):
        if word.isdigit():
            fits &= int(word) == size
        elif word != '_':
            fits &= sizes.setdefault(word, size) == size
    if not fits:
        shape = ' '.join(map(str, tensor.shape))
        raise ValueError(f'{name}: expected the shape ({pattern}), found ({shape}).')
    return sizes


def check_same_size(first: Tensor, second: Tensor, names: tuple[str, str] = ('first', 'second')) -> None:
    """Checks that two images or batches have the same height and width.

    Raises:
        ValueError: They do not.
    """
    if first.shape[-2:] != second.shape[-2:]:
        raise ValueError(
            f'{names[0]} is {first.shape[-2]}x{first.shape[-1]} and {names[1]} '
            f'{second.shape[-2]}x{second.shape[-1]} pixels: they must have the same height and width.'
        )


def check_finite(tensor: Tensor, name: str = 'tensor') -> None:
    """Checks that no value is NaN or infinite.

    Raises:
        ValueError: Some are; the message counts them.
    """
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise ValueError(f'{name}: {bad} of {tensor.numel()} values are NaN or infinite.')


def check_range(tensor: Tensor, low: float, high: float, name: str = 'tensor') -> None:
    """Checks that all values lie in ``[low, high]`` and are finite.

    Raises:
        ValueError: They do not; the message gives the range found.
    """
    check_finite(tensor, name)
    if tensor.numel() and (tensor.min() < low or tensor.max() > high):
        found = f'[{tensor.min().item():g}, {tensor.max().item():g}]'
        raise ValueError(f'{name}: expected values in [{low:g}, {high:g}], found {found}.')
