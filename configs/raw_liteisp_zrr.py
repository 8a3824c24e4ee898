"""LiteISPNet aligned with the demosaicked raw on ZRR (Table 3, "Align y with the raw": 23.52 dB, LPIPS 0.135).

All but the aligner as in configs/gcm_liteisp_zrr.py: the flow starts from the gamma-encoded raw, its brightness
matched to the target's (the paper does not say how).
Scored by "Align GT with raw" with the aligner of that run:
tools/test.py CONFIG CHECKPOINT --aligner-checkpoint work_dirs/gcm_liteisp_zrr/epoch_80.pth
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

model.aligner.update(reference='raw', colour_mapper=None)
