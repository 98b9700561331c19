"""Resolvers, one module per part of the schema; each offers ``BINDABLES``, and ``graphql/schema.py`` lists the modules."""
