"""The parquet exports of a run's history."""
