"""A proxy that stops in the middle of responses, until the client closes the connection."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Final

import httpx
from tests.loopback import LoopbackServer

HOP: Final = {"connection", "content-length", "date", "server", "transfer-encoding"}


class StallingProxy(LoopbackServer):
    """Sends requests on to a server; it runs inside the ``with`` block.

    From `stall_from` on it sends half of each response, and no more until the client closes the connection.

    Attributes:
        stalled: set when the first response has stopped.
        stopped: how many responses stand still.
        connections: how many connections are open.
    """

    def __init__(self, target: str) -> None:
        self.stalled = threading.Event()
        self.stopped = 0
        self.connections = 0
        self._stall_from: int | None = None
        self._requests = 0
        self._guard = threading.Lock()
        self._upstream = httpx.Client(base_url=target, trust_env=False)
        super().__init__(self._handler())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._upstream.close()

    def stall_from(self, request: int | None) -> None:
        """Stop each response from this request on, counted from 1; None to send everything."""
        with self._guard:
            self._stall_from, self._requests = request, 0
        self.stalled.clear()

    def _stalls(self) -> bool:
        with self._guard:
            self._requests += 1
            return self._stall_from is not None and self._requests >= self._stall_from

    def _count(self, *, connections: int = 0, stopped: int = 0) -> None:
        with self._guard:
            self.connections += connections
            self.stopped += stopped

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                proxy._count(connections=1)
                super().setup()

            def finish(self) -> None:
                with suppress(OSError):
                    super().finish()
                proxy._count(connections=-1)

            def do_GET(self) -> None:
                self._forward()

            def do_POST(self) -> None:
                self._forward()

            def do_PUT(self) -> None:
                self._forward()

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                answer = proxy._upstream.request(
                    self.command, self.path, content=body, headers=dict(self.headers.items())
                )
                content = answer.content
                stalls = proxy._stalls()
                with suppress(OSError):
                    self.send_response(answer.status_code)
                    for name, value in answer.headers.items():
                        if name not in {*HOP, "content-encoding"}:
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content[: len(content) // 2] if stalls else content)
                    self.wfile.flush()
                if stalls:
                    self._stand_still()

            def _stand_still(self) -> None:
                self.close_connection = True
                proxy._count(stopped=1)
                proxy.stalled.set()
                try:
                    with suppress(OSError):
                        self.connection.recv(1)
                finally:
                    proxy._count(stopped=-1)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Stay silent."""

        return Handler
