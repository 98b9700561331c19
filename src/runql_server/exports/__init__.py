"""Exports of ended runs' histories to parquet files: policy, column types and writing."""
