"""What the official SDK logged, read back by runql, value by value."""
