"""The executable schema."""
