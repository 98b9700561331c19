"""Check a server that hides its schema, by documents that it must refuse."""
