"""Downloading the entries of an artifact, and checking local copies of them."""
