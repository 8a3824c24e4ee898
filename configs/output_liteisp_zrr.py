"""LiteISPNet aligned with its own output on ZRR (Table 3, "Align y with the output": 23.33 dB, LPIPS 0.136).

All but the aligner as in configs/gcm_liteisp_zrr.py: the flow starts from the prediction.
Scored by "Align GT with raw" with the aligner of that run:
tools/test.py CONFIG CHECKPOINT --aligner-checkpoint work_dirs/gcm_liteisp_zrr/epoch_80.pth
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

model.aligner.update(reference='output', colour_mapper=None)
