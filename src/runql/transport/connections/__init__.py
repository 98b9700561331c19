"""Connections: by which proxy and certificates they are made, and which may be used again."""
