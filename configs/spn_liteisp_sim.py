"""Table 4 on simulated pairs, "SPN": a colour mapper that sees neither the target nor coordinates."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

model.aligner.colour_mapper.update(guide=False, coord=False)
