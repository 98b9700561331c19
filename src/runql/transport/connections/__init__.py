"""What connections may be used again."""
