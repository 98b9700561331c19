"""Accounts, API keys and signed URLs."""
