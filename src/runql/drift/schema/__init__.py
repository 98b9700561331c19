"""Schemas: where they come from, what changed, and which operations a change affects."""
