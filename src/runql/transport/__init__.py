"""Flows, two drivers and what lies between them and the wire."""
