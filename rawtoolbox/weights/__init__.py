"""Weights found, read without running code, renamed and checked; and the weights that this project trained."""
