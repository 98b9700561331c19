"""Frames of lists of runs: one row for each run."""
