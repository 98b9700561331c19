"""Projections: a user's type, and the values of a config, a summary or a row that it names."""
