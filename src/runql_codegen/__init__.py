"""Generates a package of typed operations from GraphQL queries and a schema."""
