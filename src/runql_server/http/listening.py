"""The listening socket, bound by us before the server starts, so that nobody can take the port in between."""

from __future__ import annotations

import socket

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 takes a free one. Raises ``OSError`` when the address is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's algorithm only where the protocol is named; an answer would wait 40 ms else.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # The address is told before the server has started: who comes in between waits, and is not refused.
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def url(host: str, listening: socket.socket) -> str:
    """The address that clients use."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
