"""Runs with their config and summary as instances of a user's types."""
