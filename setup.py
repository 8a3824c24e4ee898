"""Installs the package; `requirements.txt` has the exact versions that the tests ran with."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Configs and tools lie at the top of a checkout; in a wheel they are inside the package.
SHARED = ('configs', 'configs/_base_', 'tools', 'tools/prepare_data', 'tools/convert_weights')
PLACES = {f'rawtoolbox.share.{folder.replace("/", ".")}': folder for folder in SHARED}

setup(
    name='rawtoolbox',
    version=re.search(r"__version__ = '(.+)'", (HERE / 'rawtoolbox' / '__init__.py').read_text()).group(1),
    description='Learned RAW-to-sRGB mapping from pairs that do not line up',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=[*find_packages(include=['rawtoolbox', 'rawtoolbox.*']), *PLACES],
    package_dir=PLACES,
    package_data={
        'rawtoolbox': ['py.typed', 'weights/*.safetensors', 'weights/*.json'],
        'rawtoolbox.share.configs': ['metafile.yml'],
    },
    entry_points={'console_scripts': ['rawtoolbox = rawtoolbox.console:main']},
    install_requires=[
        'torch>=2.11',
        'torchvision>=0.26',
        'numpy>=2.0',
        'mmengine>=0.10.7',
        'mmcv-lite>=2.2.0',
        'opencv-python>=4.10',
        'rawpy>=0.25',
        'einops>=0.8',
        'timm>=1.0.15',
        'lpips>=0.1.4',
        'safetensors>=0.5',
        'scipy>=1.14',
        'pillow>=11',
        'scikit-image>=0.25',
        'scikit-learn>=1.5',
        'tifffile>=2024.8',
        'tqdm>=4.66',
        'matplotlib>=3.9',
    ],
    extras_require={
        'export': ['onnx>=1.18', 'onnxscript>=0.5', 'onnxruntime>=1.22'],
        'openvino': ['openvino>=2025.2'],
        'int8': ['openvino>=2025.2', 'nncf>=2.17', 'onnx>=1.18', 'onnxscript>=0.5', 'onnxruntime>=1.22'],
    },
)
