"""The history of one run: sampled, or scanned row by row."""
