"""SRResNet with the contextual bilateral loss on SR-RAW (Table 2, "Zhang et al.": 16.03 / 17.43 / 22.26 dB).

Zhang et al., Zoom to Learn, Learn to Zoom, CVPR 2019: no alignment; CoBi of VGG-19's features and of patches of pixels,
10x10 for 4x. Their training code was never released, so that scale by scale and the schedule are those of
configs/gcm_srresnet_srraw.py. Coordinates are the true ones; coordinates='legacy' has those of the released loss. In
the paper's row their own weights were tested, which are for TensorFlow.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_srresnet_srraw import *

from rawtoolbox.losses import CoBiLoss

_cobi = dict(cobi=dict(type=CoBiLoss, patch_size=10, arch=('vgg19', 'vgg16'), missing='skip'))

model.aligner = None
model.losses = _cobi
for _stage in train_cfg.levels:
    _stage.losses = _cobi
