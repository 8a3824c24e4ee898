"""Table 3 on simulated pairs, "Align y with the raw": the flow starts from the gamma-encoded raw."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

model.aligner.update(reference='raw', colour_mapper=None)
