"""Models: what mmengine's Runner trains."""

from rawtoolbox.models.preprocessor import RawPreprocessor
from rawtoolbox.models.restorer import RawRestorer

__all__ = ['RawPreprocessor', 'RawRestorer']
