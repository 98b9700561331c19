"""A front before a server that comes and goes: forwards requests, and records the rows that were acknowledged."""

from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Literal

import httpx
from tests.loopback import LoopbackServer
from tests.patience import PATIENCE

Moment = Literal["before", "during", "after"]
"""When a post of rows is met: before it is sent on, while the server works on it, or after its response."""

_HISTORY = "wandb-history.jsonl"
_NOT_FORWARDED = {"connection", "content-length", "transfer-encoding", "date", "server", "content-encoding"}


class RecordingFront(LoopbackServer):
    """Forwards a free loopback port to `target` inside the ``with`` block.

    ``acknowledged`` holds, for each run, the line of each row for which the server's response came through.
    ``meet`` calls a function at a moment of the next post of rows.
    """

    def __init__(self) -> None:
        self.target: str = ""
        self.acknowledged: defaultdict[str, dict[int, str]] = defaultdict(dict)
        self.posts: int = 0
        self._guard = threading.Lock()
        self._meeting: tuple[Moment, Callable[[], None]] | None = None
        # The rows of one post may come in large chunks; their connections end with each response.
        self._client = httpx.Client(
            trust_env=False, timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0)
        )
        super().__init__(self._handler())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._client.close()

    def meet(self, moment: Moment, act: Callable[[], None]) -> None:
        """Call a function once, at this moment of the next post of rows."""
        with self._guard:
            self._meeting = moment, act

    def _met(self, moment: Moment) -> None:
        with self._guard:
            meeting = self._meeting
            if meeting is None or meeting[0] != moment:
                return
            self._meeting = None
        meeting[1]()

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        return self._client.request(
            request.command, self.target + request.path, content=body, headers=headers
        )

    def _post_rows(
        self, request: BaseHTTPRequestHandler, body: bytes, rows: dict[int, str]
    ) -> httpx.Response:
        run = request.path.split("/")[4]
        self._met("before")
        killing = threading.Thread(target=self._met, args=("during",))
        killing.start()
        try:
            response = self._forward(request, body)
        finally:
            killing.join()
        if response.status_code == 200:
            with self._guard:
                self.posts += 1
                self.acknowledged[run].update(rows)
        self._met("after")
        return response

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            # HTTP/1.0 closes each connection after its response.
            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                rows = _rows(body, self.headers.get("content-encoding", "")) if self._has_rows() else {}
                try:
                    response = front._post_rows(self, body, rows) if rows else front._forward(self, body)
                except httpx.TransportError:
                    # The server is gone: the client sees a connection that ends without a response.
                    self.close_connection = True
                    return
                self.send_response(response.status_code)
                for name, value in response.headers.items():
                    if name.lower() not in _NOT_FORWARDED:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

            def _has_rows(self) -> bool:
                return self.command == "POST" and self.path.endswith("/file_stream")

            do_GET = do_POST = do_PUT = do_HEAD = handle_one  # noqa: N815 - names of the base class

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        return Handler


def _rows(body: bytes, encoding: str) -> dict[int, str]:
    """Return the history rows of a file stream's post, by line."""
    post: dict[str, Any] = json.loads(gzip.decompress(body) if encoding == "gzip" else body)
    files: dict[str, Any] = post.get("files") or {}
    chunk: Any = files.get(_HISTORY)
    if chunk is None:
        return {}
    lines: list[str] = chunk["content"]
    return dict(enumerate(lines, start=int(chunk["offset"])))
