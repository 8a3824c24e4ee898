"""Pictures that show what happened."""

from rawtoolbox.visualization.strip import error_map, strip, to_image, write_image, write_strip

__all__ = ['error_map', 'strip', 'to_image', 'write_image', 'write_strip']
