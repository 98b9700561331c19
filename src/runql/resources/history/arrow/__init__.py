"""Scans as Arrow streams."""
