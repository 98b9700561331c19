"""Installs of the wheel: the lowest versions, each extra alone, each Python that is here."""
