"""A transport that answers chosen requests itself, passes on the others, and records credentials."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from tests.contract.both_clients import DoubleTransport

STORAGE = "/artifact-storage/"


class RefusingTransport(DoubleTransport):
    """Sends the response of ``answer``, if there is one, instead of the server's.

    Attributes:
        asked: method and path of every request, in order.
        with_key: paths of the requests with credentials.
    """

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response | None]) -> None:
        self._answer = answer
        self._sync = httpx.HTTPTransport()
        self._async = httpx.AsyncHTTPTransport()
        self.asked: list[str] = []
        self.with_key: list[str] = []

    def _described(self, request: httpx.Request) -> httpx.Response | None:
        self.asked.append(request.url.path)
        if "authorization" in request.headers:
            self.with_key.append(request.url.path)
        return self._answer(request)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._described(request) or self._sync.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._described(request) or await self._async.handle_async_request(request)

    def close(self) -> None:
        self._sync.close()

    async def aclose(self) -> None:
        await self._async.aclose()
