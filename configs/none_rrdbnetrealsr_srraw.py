"""RealSR on the photos of SR-RAW, for inference (Table 2, "RealSR": 18.69 / 19.58 / 22.03 dB).

Not trained on SR-RAW: the official weights enlarge the camera's photo. "Align GT with raw" needs the aligner of
another run: --aligner-checkpoint work_dirs/gcm_srresnet_srraw/epoch_300.pth.
There are three official files (DF2K, DPED, DF2K-JPEG); the paper does not say which it used. DPED's is for phones.

    python tools/convert_weights/convert.py rrdbnet DPED.pth realsr.safetensors
    python tools/test.py configs/none_rrdbnetrealsr_srraw.py realsr.safetensors
"""

from mmengine.config import read_base

with read_base():
    from ._base_.runtime import *
    from ._base_.schedule import *
    from ._base_.srraw_photo import *

from rawtoolbox.backbones import RRDBNet
from rawtoolbox.models import RawPreprocessor, RawRestorer

model = dict(
    type=RawRestorer,
    data_preprocessor=dict(type=RawPreprocessor, black_level=512, white_level=16383),
    backbone=dict(type=RRDBNet),
)
