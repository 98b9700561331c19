"""Artifacts: versions, their files, and what is read and changed of them."""
