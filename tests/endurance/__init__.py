"""Proofs by endurance: long runs of what the suite does in small."""
