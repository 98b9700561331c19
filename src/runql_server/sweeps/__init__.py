"""Sweeps: what they search over, the agents that ask for runs, and which run is next."""
