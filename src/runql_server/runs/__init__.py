"""Runs, their histories and their lines."""
