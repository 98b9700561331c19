"""Downloading the entries of an artifact, and checking those that are there."""
