"""Offline runs: reads `.wandb` files, and brings what they hold into a data directory."""
