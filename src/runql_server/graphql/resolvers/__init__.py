"""Resolvers, one module per part of the schema; each defines ``BINDABLES``, and ``graphql/schema.py`` lists the modules."""
