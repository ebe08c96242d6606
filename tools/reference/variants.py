"""Rewrites of a saved directory into the other forms checkpoints come in."""
