"""A transport with a timeout for each request."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from tests.contract.both_clients import DoubleTransport


class TimeoutTransport(DoubleTransport):
    """Sends each request with the timeout that ``seconds`` returns for it, instead of the client's."""

    def __init__(self, seconds: Callable[[httpx.Request], float]) -> None:
        self._seconds = seconds
        self._direct = httpx.HTTPTransport()
        self._awaited = httpx.AsyncHTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._direct.handle_request(self._timed(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._awaited.handle_async_request(self._timed(request))

    def close(self) -> None:
        self._direct.close()

    async def aclose(self) -> None:
        await self._awaited.aclose()

    def _timed(self, request: httpx.Request) -> httpx.Request:
        request.extensions["timeout"] = httpx.Timeout(self._seconds(request)).as_dict()
        return request
