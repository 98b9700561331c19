"""Compares the official SDK and runql: the same calls on the same data, member by member."""
