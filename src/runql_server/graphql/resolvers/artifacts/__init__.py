"""Resolvers of artifacts."""
