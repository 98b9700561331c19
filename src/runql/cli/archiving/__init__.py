"""The commands that take a project home and bring it back."""
