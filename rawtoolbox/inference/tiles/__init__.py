"""A network over an image that is too large for one pass: tile by tile, without seams."""
