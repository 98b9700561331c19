"""Sweeps and their best runs."""
