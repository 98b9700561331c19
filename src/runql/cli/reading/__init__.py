"""The commands that read: `ls`, `show` and `history`."""
