"""Resolvers of artifacts: lookup, versions, collections, files, lineage, the write protocol and changes."""
