"""What runs, artifacts, files and sweeps share."""
