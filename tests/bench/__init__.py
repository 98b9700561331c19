"""Measured against the official SDK, on the same server, in the same run."""
