"""What the records of runs, artifacts, files and sweeps have in common."""
