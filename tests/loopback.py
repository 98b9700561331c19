"""An HTTP server on a free loopback port, which tests derive their own servers from."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class _Listening(ThreadingHTTPServer):
    # A client beyond this backlog connects again only after a second.
    request_queue_size = 256


class LoopbackServer:
    """Serves requests inside the ``with`` block, each connection in a thread.

    Attributes:
        url: where it listens, before the block begins, too.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._http = _Listening(("127.0.0.1", 0), handler)
        self.url: str = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
