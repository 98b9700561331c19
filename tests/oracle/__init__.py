"""Comparisons with the official SDK: what it logs, runql reads, value by value."""
