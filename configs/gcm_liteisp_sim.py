"""Tables 3 and 4 on simulated pairs, "Ours" (SPN + y + tau): the flow starts from the GCM output."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *
