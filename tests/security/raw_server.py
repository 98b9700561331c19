"""A server that replies with any bytes: nonsense, half a response, or nothing until the client leaves."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class RawServer:
    """Listens on a free loopback port inside the ``with`` block.

    Attributes:
        reply: the bytes of each response; empty to stay silent until the client hangs up.
        resets: end each connection by a reset.
        received: the bytes of each request.
        arrived: called in a thread of the server when a request is there.
    """

    def __init__(
        self, reply: bytes = b"", *, resets: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.reply = reply
        self.resets = resets
        self.received: list[bytes] = []
        self.arrived: Callable[[], None] = lambda: None
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while request := _read_request(connection):
                self.received.append(request)
                self.arrived()
                if self.resets:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                    break
                if self.reply:
                    connection.sendall(self.reply)
                    break
            connection.close()


def _read_request(connection: socket.socket) -> bytes:
    """Return one request, or nothing when the client has hung up."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
        if received.startswith(b"\x16"):  # a TLS handshake
            return received
    head, _, body = received.partition(b"\r\n\r\n")
    sizes = [
        line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    ]
    wanted = int(sizes[0]) if sizes else 0
    while len(body) < wanted:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body
