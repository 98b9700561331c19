"""Flows, the drivers that perform them, and the HTTP below."""
