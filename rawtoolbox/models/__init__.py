"""Models: what mmengine's Runner trains."""

from rawtoolbox.models.discriminators import PatchDiscriminator, VGGDiscriminator
from rawtoolbox.models.flow_learner import FlowLearner
from rawtoolbox.models.gan_restorer import GANRestorer
from rawtoolbox.models.preprocessor import RawPreprocessor
from rawtoolbox.models.raw_developer import RawDeveloper
from rawtoolbox.models.recurrent_flow_learner import RecurrentFlowLearner
from rawtoolbox.models.restorer import RawRestorer

__all__ = [
    'FlowLearner',
    'GANRestorer',
    'PatchDiscriminator',
    'RawDeveloper',
    'RawPreprocessor',
    'RawRestorer',
    'RecurrentFlowLearner',
    'VGGDiscriminator',
]
