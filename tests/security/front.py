"""A front before a server: it passes requests on, or replies with a fault of its own."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Final, Literal

import httpx
from tests.loopback import LoopbackServer

Part = Literal["operations", "files"]
HOP: Final = {"connection", "content-length", "content-encoding", "date", "server", "transfer-encoding"}


class Front(LoopbackServer):
    """Listens on a free loopback port inside the ``with`` block.

    Attributes:
        reply: what it replies with instead of the server's response; empty bytes reset the connection; None passes on.
        part: which requests it replies to itself.
        faults: how many times it has done so.
    """

    def __init__(self, target: str) -> None:
        self.reply: bytes | None = None
        self.part: Part = "operations"
        self.faults = 0
        self._upstream = httpx.Client(base_url=target, trust_env=False)
        super().__init__(self._handler())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._upstream.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._respond()

            def do_POST(self) -> None:
                self._respond()

            def do_PUT(self) -> None:
                self._respond()

            def _respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                part: Part = "operations" if self.path.endswith("/graphql") else "files"
                if front.reply is not None and front.part == part:
                    front.faults += 1
                    self._fail(front.reply)
                    return
                found = front._upstream.request(
                    self.command, self.path, content=body, headers=dict(self.headers.items())
                )
                with suppress(OSError):
                    self.send_response(found.status_code)
                    for name, value in found.headers.items():
                        if name not in HOP:
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(found.content)))
                    self.end_headers()
                    self.wfile.write(found.content)

            def _fail(self, reply: bytes) -> None:
                self.close_connection = True
                with suppress(OSError):
                    if reply:
                        self.wfile.write(reply)
                    else:
                        self.connection.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                        self.connection.close()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Stay silent."""

        return Handler
