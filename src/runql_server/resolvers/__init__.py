"""Resolvers, one module per part of the schema; each offers ``BINDABLES``, and ``schema.py`` lists the modules."""
