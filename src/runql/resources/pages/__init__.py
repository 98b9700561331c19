"""Cursor pages, and the lazy sequences over them."""
