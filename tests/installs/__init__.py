"""Installs of the wheel: the lowest versions, each extra alone, httpx2 for httpx, each Python that is here."""
