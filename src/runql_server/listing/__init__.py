"""Filters, order and cursors of lists, as SQL."""
