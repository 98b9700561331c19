"""Cursor pages and the lazy lists over them."""
