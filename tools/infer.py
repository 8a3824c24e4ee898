"""Develops raw files by a trained network, at full resolution.

    python tools/infer.py photo.dng -o photo.jpg
    python tools/infer.py photo.dng -o photo.png --checkpoint liteisp.safetensors
    python tools/infer.py photos/ -o developed/ --checkpoint liteisp.safetensors --adapt --format jpg

Without a checkpoint, the network that comes with the package develops any camera's raw in the camera's own colours.
The checkpoint is one of tools/publish.py, or a .pth of a training run. A folder that is interrupted goes on where it
stopped. The exit status is 1 when some file could not be developed, the others being done.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from rawtoolbox.deployment.backends import BACKENDS, DTYPES, open_backend
from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.inference.develop_files import develop_files, find_files, output_paths
from rawtoolbox.inference.developer import TILE, Developer
from rawtoolbox.inference.inferencer import Inferencer


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('inputs', nargs='+', metavar='INPUT', help='raw files, folders, patterns')
    add('-o', '--out', required=True, help='picture (.png, .jpg) or folder to write')
    add(
        '-c',
        '--checkpoint',
        help='.safetensors of tools/publish.py, or .pth of a training run (default: the network of the package)',
    )
    add(
        '--strength', type=float, help='share of the noise that is removed, 0 to 1; without a checkpoint only'
    )
    add('--config', help='config file, for a checkpoint that does not carry its own')

    add = parser.add_argument_group('how it is computed').add_argument
    add('--device', help='such as cuda:1 or cpu (default: CUDA where there is one)')
    add(
        '--backend',
        choices=[*BACKENDS, 'onnxruntime'],
        default='auto',
        help='auto (default): the fastest installed one that keeps the image, tried on the first tile; torch: '
        'optimised; openvino: a CPU engine (pip install "rawtoolbox[openvino]"); plain: as it was trained; '
        'onnxruntime: what tools/export.py wrote (float32)',
    )
    add(
        '--dtype',
        choices=[*DTYPES, 'int8'],
        help='of most convolutions (default: float32, or what auto finds); int8: what tools/export.py --int8 wrote',
    )
    add('--exported', help="file of tools/export.py (default: the checkpoint's name with .onnx or .int8.xml)")
    add('--tile', type=int, help='side of a tile in pixels; 0 for none (default: what fits into memory)')
    add(
        '--statistics',
        choices=['local', 'frame', 'tile'],
        help="of layers that average over their whole input: over windows of the training patch's size (default), "
        "over the whole frame in --passes, or each tile's own",
    )
    add('--passes', type=int, default=2, help='with --statistics frame (default: 2)')
    add('--tta', choices=['x8'], help='average over the eight flips and transpositions: eight times as long')
    add('--verify', action='store_true', help='print the largest difference to the result without tiles')

    add = parser.add_argument_group('colour').add_argument
    add('--adapt', action='store_true', help="map the camera's colours to those of the training camera")
    add('--gains', nargs=3, type=float, metavar=('R', 'G', 'B'), help="white balance in place of the file's")

    add = parser.add_argument_group('the picture').add_argument
    add('--format', choices=['png', 'jpg'], default='png', help='of pictures in a folder (default: png)')
    add('--bits', type=int, choices=[8, 16], default=8, help='of a PNG')
    add('--quality', type=int, default=95, help='of a JPEG (default: 95)')
    add(
        '--keep-orientation',
        action='store_true',
        help='do not turn upright, but say in EXIF how it is to be turned',
    )
    add('--compare', action='store_true', help="also write a picture beside LibRaw's rendering")
    add('--overwrite', action='store_true', help='develop again what is there already')

    add = parser.add_argument_group('files that do not say it themselves (PNG, TIFF, headless)').add_argument
    add('--cfa', help='pattern from pixel (0, 0), such as RGGB')
    add('--black-level', type=float)
    add('--white-level', type=float)
    add('--height', type=int, help='rows of a headless file of 16-bit values')
    add('--width', type=int)
    add('--orientation', type=int, choices=range(1, 9), metavar='1..8', help="EXIF's; in place of the file's")
    add('--camera-matrix', nargs=9, type=float, metavar='M', help='CIE XYZ to camera, row by row')
    add_import(parser)
    return parser.parse_args()


def open_inferencer(args: argparse.Namespace) -> Inferencer | Developer:
    """What develops: the package's network, or that of the checkpoint."""
    if args.checkpoint is None:
        only = ('config', 'exported', 'statistics', 'tta', 'adapt', 'verify')
        given = [f'--{name}' for name in only if getattr(args, name)]
        if given:
            raise ValueError(f'{", ".join(given)}: for a network of your own; name it by --checkpoint.')
        strength = 1.0 if args.strength is None else args.strength
        tile = TILE if args.tile is None else args.tile
        return Developer(strength=strength, tile=tile, dtype=args.dtype, progress=True)
    if args.strength is not None:
        raise ValueError('--strength: for the network of the package; leave --checkpoint out.')
    backend = open_backend(args.backend, args.checkpoint, args.dtype, args.exported)
    return Inferencer(
        args.checkpoint,
        args.config,
        backend=backend,
        device=args.device,
        dtype=args.dtype if isinstance(backend, str) else None,
        tile=args.tile,
        statistics=args.statistics,
        passes=args.passes,
        tta=args.tta is not None,
        adapt=args.adapt,
        verify=args.verify,
        progress=True,
    )


def main() -> int:
    args = parse_args()
    targets = output_paths(find_files(args.inputs, args.cfa is not None), args.out, f'.{args.format}')
    inferencer = open_inferencer(args)
    report = develop_files(
        inferencer,
        targets,
        compare=args.compare,
        overwrite=args.overwrite,
        write={
            'bits': args.bits,
            'quality': args.quality,
            'orientation': 'keep' if args.keep_orientation else 'apply',
        },
        cfa=args.cfa,
        black_level=args.black_level,
        white_level=args.white_level,
        height=args.height,
        width=args.width,
        orientation=args.orientation,
        as_shot_gains=args.gains,
        xyz_to_camera=np.reshape(args.camera_matrix, (3, 3)) if args.camera_matrix else None,
    )
    print(f'{report}\nNetwork: {inferencer.describe()}')
    return 1 if report.failed else 0


if __name__ == '__main__':
    run_cli(main)
