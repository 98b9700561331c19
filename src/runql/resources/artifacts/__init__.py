"""Artifacts: versions, their entries, and the collections that hold them."""
