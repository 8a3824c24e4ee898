"""SRGAN on the photos of SR-RAW, for inference (Table 2, "SRGAN": 18.42 / 19.32 / 21.89 dB).

Not trained on SR-RAW: the official weights enlarge the camera's photo. "Align GT with raw" needs the aligner of
another run: --aligner-checkpoint work_dirs/gcm_srresnet_srraw/epoch_300.pth.
SRGAN's authors released no weights: these are BasicSR's, of MSRResNet.

    python tools/convert_weights/convert.py msrresnet net_g_400000.pth srgan.safetensors
    python tools/test.py configs/none_msrresnetsrgan_srraw.py srgan.safetensors
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.srraw_photo import *

from rawtoolbox.backbones import MSRResNet
from rawtoolbox.models import RawPreprocessor, RawRestorer

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(type=RawPreprocessor, black_level=512, white_level=16383),
    backbone=dict(type=MSRResNet),
)
