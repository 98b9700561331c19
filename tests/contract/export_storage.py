"""A transport that rewrites responses of the storage of exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

import httpx
from tests.contract.both_clients import PassingTransport

Rewrite: TypeAlias = Callable[[httpx.Request, httpx.Response], httpx.Response]
"""Maps a request to the storage and the server's response to the response for the client."""

STORAGE = "/history-exports/"


def pass_on(_request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    return answer


class StorageTransport(PassingTransport):
    """Passes on all requests, and applies ``rewrite`` to responses of the storage.

    Attributes:
        asked: requests in order: names of operations, and ``GET`` for files.
        sent: every request.
        received: bytes of the storage's responses.
    """

    def __init__(self, rewrite: Rewrite = pass_on, *, host: str | None = None) -> None:
        """``host`` replaces the API's host in the URLs of exports."""
        super().__init__()
        self.asked: list[str] = []
        self.sent: list[httpx.Request] = []
        self.received = 0
        self._meddle = rewrite
        self._host = host

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._note(request)
        answer = super().handle_request(request)
        answer.read()
        return self._passed(request, answer)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._note(request)
        answer = await super().handle_async_request(request)
        await answer.aread()
        return self._passed(request, answer)

    def _note(self, request: httpx.Request) -> None:
        self.sent.append(request)
        is_file = request.url.path.startswith(STORAGE)
        self.asked.append(request.method if is_file else json.loads(request.content)["operationName"])

    def _passed(self, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        # httpx has decoded the body that was read, so the response is built again without its encoding header.
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in {"content-encoding", "content-length"}
        }
        content = answer.content
        if request.url.path.startswith(STORAGE):
            self.received += len(content)
            return self._meddle(request, httpx.Response(answer.status_code, headers=headers, content=content))
        if self._host is not None:
            content = content.replace(f"//{request.url.host}:".encode(), f"//{self._host}:".encode())
        return httpx.Response(answer.status_code, headers=headers, content=content)
