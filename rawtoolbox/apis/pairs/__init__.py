"""Photographs taken in pairs, turned into a data set: matched, cut, lined up, judged and shown."""

from rawtoolbox.apis.pairs.prepare import prepare_pairs
from rawtoolbox.apis.pairs.settings import PairSettings, Result
from rawtoolbox.apis.pairs.sources import Sources, find_pairs

__all__ = ['PairSettings', 'Result', 'Sources', 'find_pairs', 'prepare_pairs']
