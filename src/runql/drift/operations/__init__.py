"""The operations that are checked, and which parts of a schema they use."""
