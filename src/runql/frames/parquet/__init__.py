"""Exports as parquet: their layout, their footer, their values, and their rows by either library."""
