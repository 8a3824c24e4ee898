"""What mmengine's Runner needs beside it."""

from rawtoolbox.engine.checkpoint import PlainCheckpointHook
from rawtoolbox.engine.hooks import PredictionWriterHook, ProgressBarHook, SeedHook, VisualizationHook
from rawtoolbox.engine.optim import AutocastOptimWrapper

__all__ = [
    'AutocastOptimWrapper',
    'PlainCheckpointHook',
    'PredictionWriterHook',
    'ProgressBarHook',
    'SeedHook',
    'VisualizationHook',
]
