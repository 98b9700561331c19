"""Generates the package `runql_graphql` from `queries/` and `schema/`; development only, not part of the wheel."""
