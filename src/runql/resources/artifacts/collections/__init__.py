"""Artifact collections and types."""
