"""A transport with a timeout for each request."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from tests.contract.both_clients import PassingTransport


class TimeoutTransport(PassingTransport):
    """Sends each request with the timeout that ``seconds`` returns for it, instead of the client's."""

    def __init__(self, seconds: Callable[[httpx.Request], float]) -> None:
        super().__init__()
        self._seconds = seconds

    def before(self, request: httpx.Request) -> httpx.Request:
        request.extensions["timeout"] = httpx.Timeout(self._seconds(request)).as_dict()
        return request
