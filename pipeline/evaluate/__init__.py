"""Scores against references: what `attune evaluate` prints."""
