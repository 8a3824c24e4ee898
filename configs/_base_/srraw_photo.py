"""SR-RAW for networks that take the camera's low-resolution photo, which tools/prepare_data/sr_raw.py keeps."""

from mmengine.config import read_base

with read_base():
    from .srraw import *

for _loader in (train_dataloader, val_dataloader, test_dataloader):
    _loader['dataset']['with_rgb'] = True
