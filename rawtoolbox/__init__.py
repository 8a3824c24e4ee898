"""Learned RAW-to-sRGB mapping from pairs that do not line up."""

__version__ = '0.2.0'
