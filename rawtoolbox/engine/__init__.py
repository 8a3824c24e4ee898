"""What mmengine's Runner needs beside it."""

from rawtoolbox.engine.checkpoint_hook import PlainCheckpointHook, WholeCheckpointHook
from rawtoolbox.engine.hooks import (
    DeferredInfoHook,
    PredictionWriterHook,
    ProgressBarHook,
    SeedHook,
    VisualizationHook,
)
from rawtoolbox.engine.level_training import LevelHook, LevelTrainLoop
from rawtoolbox.engine.optim import AutocastOptimWrapper, GANOptimWrapperConstructor, JointOptimWrapper

__all__ = [
    'AutocastOptimWrapper',
    'DeferredInfoHook',
    'GANOptimWrapperConstructor',
    'JointOptimWrapper',
    'LevelHook',
    'LevelTrainLoop',
    'PlainCheckpointHook',
    'PredictionWriterHook',
    'ProgressBarHook',
    'SeedHook',
    'VisualizationHook',
    'WholeCheckpointHook',
]
