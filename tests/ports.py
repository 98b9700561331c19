"""Loopback ports with a given behaviour."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def refusing() -> Generator[str]:
    """Yield the URL of a port that refuses connections, and reserve the port inside the block."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
