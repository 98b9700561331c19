"""Formats of a report: for people, for programs and for CI systems."""
