"""The listening socket, bound before the server starts, so that no other process can take the port."""

from __future__ import annotations

import socket

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 picks a free one. Raises ``OSError`` when the address is not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only when the protocol is named; otherwise a response waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # The address is announced before the server starts: early clients wait instead of being refused.
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def url(host: str, listening: socket.socket) -> str:
    """Return the base URL for clients."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
