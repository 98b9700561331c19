"""Strict reading of recorded and live responses."""
