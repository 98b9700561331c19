"""Lazy frames of polars: what polars asks of a source, read from its expressions."""
