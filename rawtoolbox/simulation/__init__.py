"""Scenes, cameras and pairs that are computed, with the truth about each."""
