"""LiteISPNet trained jointly with GCM on RHID: raws of a high-speed camera and a Canon's photos of the same scenes.

The data set of TIANLE233/MisISP (MIT): pairs of 512x512 pixels in the layout of Zurich RAW to RGB, 12 bits, RGGB, black
near 0, no white balance, strong noise. Model and schedule are those of gcm_liteisp_zrr.py. The colour mapper knows the
place in the patch only: the data set does not say where in its frame a patch lies.
"""

from mmengine.config import read_base

with read_base():
    from .gcm_liteisp_zrr import *

_bit_depth = 12

data_root = 'data/rhid'
model.data_preprocessor.update(black_level=0, white_level=4095)
for _loader in (train_dataloader, val_dataloader, test_dataloader):
    _loader.dataset.update(patch_size=512, bit_depth=_bit_depth)
