"""The demo without alignment: what the same model and budget learn from targets as they were taken."""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_demo import *

from rawtoolbox.aligners import IdentityAligner

model['aligner'] = dict(type=IdentityAligner)
