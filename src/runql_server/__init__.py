"""The embedded server: GraphQL and file stream compatible with W&B, on SQLite, for tests and first steps."""
