"""What has to be mended in the environment before anything else is imported."""

from __future__ import annotations

import importlib
import sys

_LIBRARY = None  # keeps the two operator schemas alive: a torch.library.Library forgets them when collected


def check_opencv() -> None:
    """Imports OpenCV; explains the one thing that goes wrong on a bare container.

    Raises:
        ImportError: The system libraries that opencv-python links are missing.
    """
    try:
        importlib.import_module('cv2')
    except ImportError as error:
        if 'libGL' not in str(error) and 'libgthread' not in str(error) and 'libglib' not in str(error):
            raise
        raise ImportError(
            f'OpenCV cannot start: {error}. Install the system libraries (Debian and Ubuntu: '
            'apt-get install libgl1 libglib2.0-0), or replace the package by the one without a display: '
            'pip install --force-reinstall --no-deps opencv-python-headless'
        ) from error


def mend_torchvision() -> None:
    """Makes ``import torchvision`` work where its compiled part does not fit a CPU-only torch.

    PyPI's torchvision is built for CUDA. Beside a CPU build of torch its library cannot be loaded, and the
    import dies on the shape functions of two operators, ``nms`` and ``qnms``, that were never declared;
    mmengine's environment report, lpips and timm all import it. Declaring the two is enough. They are
    declared only after the import failed, and only without CUDA: declared twice, torch aborts.
    """
    global _LIBRARY
    try:
        importlib.import_module('torchvision')
        return
    except ModuleNotFoundError:
        return
    except RuntimeError as error:
        if 'torchvision::' not in str(error):
            raise
    import torch

    if torch.version.cuda or getattr(torch.version, 'hip', None):
        raise RuntimeError(
            f'torchvision does not fit torch {torch.__version__}: install the pair that belongs together '
            '(torch 2.13.0 with torchvision 0.28.0).'
        )
    _LIBRARY = torch.library.Library('torchvision', 'FRAGMENT')
    for name in ('nms', 'qnms'):
        _LIBRARY.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
        del sys.modules[name]
    importlib.import_module('torchvision')
