"""SRResNet on SR-RAW without alignment, scale by scale: what GCM is worth there (no row of Table 2).

The recipe of configs/gcm_srresnet_srraw.py but for the aligner.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_srresnet_srraw import *

model.aligner = None
