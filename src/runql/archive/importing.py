"""Imports an archive."""

from __future__ import annotations


class ImportReport:
    """What an import did."""
