"""What every experiment shares: hooks, logging, environment."""

from mmengine.hooks import DistSamplerSeedHook, IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.runner import LogProcessor
from mmengine.visualization import LocalVisBackend, Visualizer

from rawtoolbox.engine import (
    DeferredInfoHook,
    PlainCheckpointHook,
    ProgressBarHook,
    SeedHook,
    VisualizationHook,
    WholeCheckpointHook,
)

default_scope = 'rawtoolbox'

default_hooks = dict(
    runtime_info=dict(type=DeferredInfoHook),
    timer=dict(type=IterTimerHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    checkpoint=dict(
        type=WholeCheckpointHook, interval=1, max_keep_ckpts=3, backend_args=dict(backend='atomic')
    ),
    sampler_seed=dict(type=DistSamplerSeedHook),
    visualization=dict(type=VisualizationHook),
)
custom_hooks = [dict(type=PlainCheckpointHook), dict(type=SeedHook), dict(type=ProgressBarHook)]

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
    dist_cfg=dict(backend='nccl'),
)
visualizer = dict(type=Visualizer, vis_backends=[dict(type=LocalVisBackend)])
log_processor = dict(type=LogProcessor, window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
