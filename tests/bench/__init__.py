"""Measured against the official SDK and against a bare HTTP client, on the same prepared answers, in the same run."""
