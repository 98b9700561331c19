"""A server that sends queued responses, and records the requests."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.loopback import LoopbackServer
from tests.unit.transport.stepping import about


@dataclass(frozen=True)
class ScriptedResponse:
    """A response to send."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer(LoopbackServer):
    """A server on a free loopback port; it runs inside the ``with`` block.

    It takes responses from a queue, and repeats the last one. ``asked`` lists the requests. ``route``, if set,
    replaces the queue. ``most_at_once`` is the highest number of concurrent requests.
    """

    def __init__(self) -> None:
        self.asked: list[ReceivedRequest] = []
        self.route: Callable[[str], ScriptedResponse] | None = None
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()
        self._answers: deque[ScriptedResponse] = deque()
        super().__init__(self._handler())

    def give(self, *answers: ScriptedResponse) -> None:
        """Queue responses."""
        self._answers.extend(answers)

    def give_data(self, *data: object) -> None:
        """Queue GraphQL responses with these data; data that name no project get ``e/p``."""
        self.give(*(ScriptedResponse(json.dumps({"data": about(each)}).encode()) for each in data))

    @contextmanager
    def _counted(self) -> Generator[None]:
        with self._counting:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._counting:
                self._at_once -= 1

    def _next(self, path: str) -> ScriptedResponse:
        if self.route is not None:
            return self.route(path)
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_PUT(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                with server._counted():
                    self._answer_counted()

            def _answer_counted(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.asked.append(ReceivedRequest(self.command, self.path, headers, body))
                answer = server._next(self.path)
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Stay silent."""

        return Handler
