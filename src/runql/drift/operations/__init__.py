"""The operations to check, and what they use of a schema."""
