"""Runs: one, the runs of a project, and what is read and changed of them."""
