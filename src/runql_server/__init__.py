"""The embedded server: a W&B-compatible GraphQL and file-stream server on SQLite, for tests and first steps."""
