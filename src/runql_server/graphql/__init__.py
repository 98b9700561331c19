"""The executable schema: documents, request context and resolvers."""
