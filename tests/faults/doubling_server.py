"""A server that sends every response twice on its connection, or once, and numbers the responses."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from tests.patience import PATIENCE

Framing: TypeAlias = Literal["length", "chunks"]

_CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)


class DoublingServer:
    """Runs inside the ``with`` block. The state in the response to the n-th request is ``n``.

    Attributes:
        url: its address.
        requests: how many requests came.
        connections: how many connections brought them.
    """

    def __init__(
        self,
        copies: int,
        framing: Framing = "length",
        *,
        size: int = 0,
        cut: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set what is sent.

        Args:
            copies: how often each response is sent.
            framing: how the response shows where its body ends.
            size: bytes of a whole response at least.
            cut: bytes of the last copy that are kept back until the client's next request, or its end.
            tls: serve https. Each copy is then a record of its own.
        """
        self.requests = 0
        self.connections = 0
        self._copies, self._framing, self._size, self._cut, self._tls = copies, framing, size, cut, tls
        self._guard = threading.Lock()
        self._sent = threading.Semaphore(0)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def wait_until_sent(self) -> None:
        """Wait until all copies of one more response are on the client's side."""
        assert self._sent.acquire(timeout=PATIENCE)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            kept_back, is_first = b"", True
            while _reads_request(connection):
                with self._guard:
                    self.requests += 1
                    self.connections += is_first
                    number = self.requests
                is_first = False
                response = self._response(number)
                copies = [response] * self._copies
                if self._cut:
                    copies[-1] = response[: -self._cut]
                self._send_at_once(connection, [kept_back, *copies])
                kept_back = response[-self._cut :] if self._cut else b""
                self._sent.release()

    def _send_at_once(self, connection: socket.socket, pieces: list[bytes]) -> None:
        if self._tls is None:
            connection.sendall(b"".join(pieces))
            return
        if _CORK is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
        for piece in filter(None, pieces):
            connection.sendall(piece)
        if _CORK is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _CORK, 0)

    def _response(self, number: int) -> bytes:
        run = {"name": "r", "state": f"{number}"}
        body = json.dumps({"data": {"project": {"name": "p", "entityName": "e", "run": run}}}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if self._framing == "chunks":
            return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        announced = b"Content-Length: %07d\r\n\r\n"
        # Inside of the object: a body that does not end with a brace looks cut off.
        body = body[:-1].ljust(self._size - len(head) - len(announced % 0) - 1) + b"}"
        return head + announced % len(body) + body


def _reads_request(connection: socket.socket) -> bool:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := connection.recv(1 << 16)):
            return False
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    while len(body) < length:
        if not (chunk := connection.recv(1 << 16)):
            return False
        body += chunk
    return True
