"""Read real responses strictly."""
