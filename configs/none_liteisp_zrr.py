"""LiteISPNet on ZRR as SIFT left it (Table 3, "SIFT (baseline)": 23.49 dB, LPIPS 0.148; Table 4, "N/A").

All but the aligner as in configs/gcm_liteisp_zrr.py.
Scored by "Align GT with raw" with the aligner of that run:
tools/test.py CONFIG CHECKPOINT --aligner-checkpoint work_dirs/gcm_liteisp_zrr/epoch_80.pth
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

model.aligner = None
