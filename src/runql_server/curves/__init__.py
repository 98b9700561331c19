"""Curves of long histories: extremes of blocks of rows, kept once read, thinned to the pixels that a page has."""
