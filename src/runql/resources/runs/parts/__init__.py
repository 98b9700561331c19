"""Lists and scans in parts, for several processes."""
