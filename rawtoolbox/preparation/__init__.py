"""Data sets out of photographs, and what is wrong with them."""
