"""Raw files developed by a trained network."""
