"""The released training script's schedule: Adam at 1e-4, 80 epochs, halved at 40 (the paper says 100 and 50)."""

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import Adam

optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999), fused=True))
param_scheduler = dict(type=MultiStepLR, by_epoch=True, milestones=[40], gamma=0.5)
auto_scale_lr = dict(base_batch_size=16, enable=False)

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=80, val_interval=5)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
