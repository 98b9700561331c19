"""A proxy that loses requests or responses of one operation."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Literal, TypeAlias

import httpx
from tests.loopback import LoopbackServer

Loss: TypeAlias = Literal[
    "request", "response", "rest of the response", "everything from then on", "bad gateway"
]


class LosingProxy(LoopbackServer):
    """Forwards a free loopback port to a server inside the ``with`` block.

    `lose` selects an operation and its loss; ``asked`` names the received operations.
    """

    def __init__(self, url: str) -> None:
        self.asked: list[str] = []
        self._url = url
        self._operation = ""
        self._loss: Loss = "request"
        self._is_down = False
        super().__init__(self._handler())

    def lose(self, operation: str, loss: Loss) -> None:
        """Lose this operation once, and clear ``asked``."""
        self._operation, self._loss, self._is_down = operation, loss, False
        self.asked.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            # HTTP/1.0 closes each connection after its response, so none outlives the proxy.
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                operation: str = json.loads(body)["operationName"]
                proxy.asked.append(operation)
                loss = proxy._loss if operation == proxy._operation else None
                if loss is not None:
                    proxy._operation = ""
                if loss == "request" or proxy._is_down:
                    return
                answer = httpx.post(
                    f"{proxy._url}{self.path}",
                    content=body,
                    headers={
                        "Authorization": self.headers["authorization"],
                        "Content-Type": "application/json",
                    },
                    trust_env=False,
                )
                self._answer(answer, loss)

            def _answer(self, answer: httpx.Response, loss: Loss | None) -> None:
                if loss in {"response", "everything from then on"}:
                    proxy._is_down = loss == "everything from then on"
                    return
                status, content = (
                    (502, b"bad gateway") if loss == "bad gateway" else (answer.status_code, answer.content)
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if loss == "rest of the response" else content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Stay silent."""

        return Handler
