"""Photographs taken in pairs, turned into a data set: matched, cut, lined up, judged and shown."""

from rawtoolbox.preparation.pairs.prepare import prepare_pairs
from rawtoolbox.preparation.pairs.settings import PairSettings, Result
from rawtoolbox.preparation.pairs.sources import Sources, find_pairs

__all__ = ['PairSettings', 'Result', 'Sources', 'find_pairs', 'prepare_pairs']
