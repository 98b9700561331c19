"""Artifacts in the database: types, collections, versions, memberships, aliases, tags and lineage."""
