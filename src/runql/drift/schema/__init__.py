"""Where a schema comes from, what changed in it, and which operations a change hits."""
