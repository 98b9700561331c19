"""Promotes the best run of a project."""
