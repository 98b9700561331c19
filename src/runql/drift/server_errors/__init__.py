"""Errors of GraphQL servers: how to provoke them, how to parse them, and what they mean for a check."""
