"""LiteISPNet with a GCM without coordinates on ZRR (Table 4, "SPN + y": GCM output 26.33 dB, result 23.69 dB).

All else as in configs/gcm_liteisp_zrr.py, which is the row "SPN + y + tau" (26.93 and 23.76 dB).
Scored by "Align GT with raw" with the aligner of that run:
tools/test.py CONFIG CHECKPOINT --aligner-checkpoint work_dirs/gcm_liteisp_zrr/epoch_80.pth
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

model.aligner.colour_mapper.update(guide=True, coord=False)
