"""Artifact types and their collections."""
