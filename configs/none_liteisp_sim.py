"""Table 3 on simulated pairs, without alignment: the target as it is."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

model.aligner = None
