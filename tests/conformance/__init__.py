"""The same calls through the official SDK and through runql, on the same data: their answers are compared member by member."""
