"""Scans as lazy frames of polars."""
