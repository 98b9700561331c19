"""Sweeps: configuration, parameters, agents, trials and early stopping."""
