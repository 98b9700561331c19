"""Clients in other processes: what travels to them, and how they share a rate limit."""
