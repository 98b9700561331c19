"""A front of an embedded server that kills a process at its n-th request."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

HOP = {"connection", "content-length", "transfer-encoding", "server", "date"}


class KillingFront:
    """Forwards requests; before or behind the chosen one it kills the process, and sends no response.

    Attributes:
        url: where the front is.
        count: requests so far.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream).netloc
        self._guard = threading.Lock()
        self._at = 0
        self._process = 0
        self._carries_out = False
        self.count: int = 0
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                is_last = front._counts()
                if is_last and not front._carries_out:
                    front._kill()
                    self.close_connection = True
                    return
                status, headers, content = front._forward(self.command, self.path, dict(self.headers), body)
                if is_last:
                    front._kill()
                    self.close_connection = True
                    return
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _handle  # noqa: N815 - names of http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url: str = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def arm(self, process: int, at: int, *, carries_out: bool) -> None:
        """Kill this process at that request from now, 0 for never; ``carries_out`` says whether the server still gets it."""
        with self._guard:
            self._process, self._at, self._carries_out, self.count = process, at, carries_out, 0

    def _counts(self) -> bool:
        with self._guard:
            self.count += 1
            return self.count == self._at

    def _kill(self) -> None:
        os.kill(self._process, signal.SIGKILL)

    def _forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._upstream, timeout=600)
        try:
            kept = {
                name: value
                for name, value in headers.items()
                if name.lower() not in HOP | {"accept-encoding"}
            }
            connection.request(method, path, body=body, headers=kept)
            response = connection.getresponse()
            content = response.read()
            return (
                response.status,
                [(name, value) for name, value in response.getheaders() if name.lower() not in HOP],
                content,
            )
        finally:
            connection.close()
