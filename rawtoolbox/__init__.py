"""Learned RAW-to-sRGB mapping from pairs that do not line up."""

from rawtoolbox.compat import check_opencv, mend_torchvision

check_opencv()
mend_torchvision()

__version__ = '0.1.0'
