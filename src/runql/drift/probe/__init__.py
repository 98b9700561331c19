"""Ask a server that hides its schema."""
