"""The histories of many runs."""
