"""Table 3 on simulated pairs, "SIFT (baseline)": the target warped by one homography."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

from rawtoolbox.aligners import HomographyAligner

model.aligner = dict(type=HomographyAligner)
