"""Histories of ended runs as parquet files: which rows are exported, with which column types, and where they lie."""
