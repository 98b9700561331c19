"""A server that sends a response so slowly that it never ends, or none at all, until the client closes the connection."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from itertools import chain, repeat
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

PAUSE: Final = 0.02
"""Seconds between two bytes: far below every timeout, so that no read alone takes too long."""

Slowness: TypeAlias = Literal["silent", "headers", "body", "chunks", "deaf"]

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_SENT_AT_ONCE: Final[dict[Slowness, bytes]] = {
    "silent": b"",
    "headers": _HEAD + b"X-Slow: ",
    "body": _HEAD + b"Content-Length: 1000000\r\n\r\n",
    "chunks": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "deaf": b"",
}
_DRIPS: Final[dict[Slowness, bytes]] = {
    "silent": b"",
    "headers": b"x",
    "body": b" ",
    "chunks": b"1\r\n \r\n",
    "deaf": b"",
}


class DrippingServer:
    """Runs inside the ``with`` block.

    A deaf server does not even read what is sent, and a silent one sends nothing.

    Attributes:
        url: its address.
        requests: how many connections brought a request.
        closed: how many of them the client has closed.
    """

    def __init__(self, slowness: Slowness) -> None:
        self.requests = 0
        self.closed = 0
        self._slowness: Slowness = slowness
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        if slowness == "deaf":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self._slowness == "deaf":
                self._stopped.wait()
                return
            if not connection.recv(1 << 16):
                return
            self.requests += 1
            try:
                for piece in chain([_SENT_AT_ONCE[self._slowness]], repeat(_DRIPS[self._slowness])):
                    connection.sendall(piece)
                    if self._stopped.wait(PAUSE) or self._is_closed(connection):
                        return
            finally:
                self.closed += 1

    def _is_closed(self, connection: socket.socket) -> bool:
        connection.setblocking(False)
        try:
            return not connection.recv(1 << 16)
        except BlockingIOError:
            return False
        finally:
            connection.setblocking(True)
