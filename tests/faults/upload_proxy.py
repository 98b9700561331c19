"""A proxy that stops uploads between any two bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

READ = 1 << 16


class UploadProxy:
    """Forwards a free loopback port to a server inside the ``with`` block.

    `stop` forwards uploads up to a byte, and then breaks or holds the connection; it sets ``reached`` then. ``uploads``
    counts the started uploads.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.uploads = 0
        self.reached = threading.Event()
        self._released = threading.Event()
        self._upto = 0
        self._then: Literal["break", "hold"] = "break"
        self._times = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def release(self) -> None:
        """Break the held connections."""
        self._released.set()

    def stop(self, upto: int, then: Literal["break", "hold"], times: int = 1) -> None:
        """Stop the next ``times`` uploads after ``upto`` bytes of their bodies."""
        self._upto, self._then, self._times = upto, then, times

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, contextlib.suppress(OSError):
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            self._pass_on(client, server)
            # The server reads the end of the stream, as from a client that has exited.
            server.shutdown(socket.SHUT_RDWR)
            client.shutdown(socket.SHUT_RDWR)
            back.join()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        while read := client.recv(READ):
            if not read.startswith(b"PUT "):
                server.sendall(read)
                continue
            self.uploads += 1
            while b"\r\n\r\n" not in read:
                read += client.recv(READ)
            if not self._times:
                server.sendall(read)
                continue
            self._times -= 1
            self._stop_upload(read, client, server)
            return

    def _stop_upload(self, read: bytes, client: socket.socket, server: socket.socket) -> None:
        head, _, body = read.partition(b"\r\n\r\n")
        server.sendall(head + b"\r\n\r\n")
        left = self._upto
        while left:
            server.sendall(body[:left])
            left -= len(body[:left])
            body = client.recv(min(READ, left)) if left else b""
        self.reached.set()
        if self._then == "hold":
            self._released.wait()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while read := source.recv(READ):
            target.sendall(read)
