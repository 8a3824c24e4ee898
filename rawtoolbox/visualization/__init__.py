"""Pictures that show what happened."""

from rawtoolbox.visualization.flow_color import flow_to_color
from rawtoolbox.visualization.strip import error_map, strip, to_image, write_strip

__all__ = ['error_map', 'flow_to_color', 'strip', 'to_image', 'write_strip']
