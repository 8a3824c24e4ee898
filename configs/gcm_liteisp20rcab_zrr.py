"""LiteISPNet with 20 RCABs in a residual group on ZRR (Table 5: 91.5 ms, 23.79 dB "Align GT with raw").

All else as in configs/gcm_liteisp_zrr.py, which is the row of 4 (23.3 ms, 23.76 dB).
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

model.backbone.n_rcab = 20
