"""Writes a trained network as an ONNX file, or for OpenVINO in int8, and checks it against torch.

    python tools/export.py liteisp_zrr.safetensors -o liteisp_zrr.onnx
    python tools/infer.py photo.dng -o photo.png --checkpoint liteisp_zrr.safetensors --backend onnxruntime

    python tools/export.py liteisp_zrr.safetensors -o liteisp_zrr.int8.xml --int8 --calibrate photos/*.dng

The file takes any height and width that the network takes, and carries the network's config. Layers that average
over their whole input do so over windows of the training patch's size, unless --statistics whole is given.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rawtoolbox.deployment.int8 import export_int8
from rawtoolbox.deployment.onnx_network import export_onnx
from rawtoolbox.engine.cli import add_import, run_cli
from rawtoolbox.inference.calibration import PATCHES, calibration_patches
from rawtoolbox.inference.develop_files import find_files
from rawtoolbox.inference.tiles.statistics import has_global_layers, local_version
from rawtoolbox.inference.trained import load_trained
from rawtoolbox.weights.checkpoint import checkpoint_id


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', help='.safetensors of tools/publish.py, or .pth of a training run')
    parser.add_argument('-o', '--out', required=True, help='.onnx to write, or .xml with --int8')
    parser.add_argument('--config', help='config file, for a checkpoint that does not carry its own')
    parser.add_argument(
        '--coord',
        choices=['input', 'patch'],
        default='input',
        help="coordinates are the file's second input (default), or those of the whole input, baked in",
    )
    parser.add_argument(
        '--statistics',
        choices=['local', 'whole'],
        default='local',
        help='of layers that average: over windows as large as a training patch (default), the input being at '
        'least as large; or over the whole input, as in training',
    )
    add = parser.add_argument_group('int8, for tools/infer.py --backend openvino --dtype int8').add_argument
    add('--int8', action='store_true', help='write convolutions in int8: faster, a little less exact')
    add(
        '--calibrate',
        nargs='+',
        metavar='FILE',
        help='raw files or folders like those to be developed: a few',
    )
    add('--patches', type=int, default=PATCHES, help=f'taken from them ({PATCHES})')
    add('--cfa', help='pattern from pixel (0, 0), of files that do not say it themselves (PNG, TIFF)')
    add('--black-level', type=float)
    add('--white-level', type=float)
    add_import(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    suffix = '.xml' if args.int8 else '.onnx'
    if Path(args.out).suffix != suffix:
        raise ValueError(f'{args.out}: an exported file ends in {suffix}.')
    if args.int8 != bool(args.calibrate):
        raise ValueError('--int8 needs --calibrate FILES, and --calibrate needs --int8.')
    trained = load_trained(args.checkpoint, args.config)
    form = trained.raw_input
    patch = trained.patch_size // (2 if form.layout == 'packed' else 1)
    network, smallest = trained.network, 1
    if args.statistics == 'local' and has_global_layers(network):
        network, smallest = local_version(network, patch, form.channels), patch
    metadata = {
        'config': trained.config,
        'checkpoint': checkpoint_id(args.checkpoint),
        'statistics': args.statistics,
        'black_level': trained.black_level,
        'white_level': trained.white_level,
        'patch_size': trained.patch_size,
        'camera': trained.camera.to_plain() if trained.camera else None,
    }
    sizes = [(patch, patch), (patch + form.multiple, patch + 3 * form.multiple)]
    if args.int8:
        geometry = {'cfa': args.cfa, 'black_level': args.black_level, 'white_level': args.white_level}
        files = find_files(args.calibrate, args.cfa is not None)
        patches = calibration_patches(files, trained, args.patches, **geometry)
        agrees = export_int8(
            network, args.out, patches, metadata, coord=args.coord, smallest=smallest, sizes=sizes
        )
        print(f'{args.out}  PSNR to torch on {len(patches)} patches {agrees:.1f} dB')
        return
    difference = export_onnx(network, args.out, metadata, args.coord, smallest, sizes)
    print(f'{args.out}  largest difference to torch {difference:.1e}')


if __name__ == '__main__':
    run_cli(main)
