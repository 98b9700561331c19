"""A transport that answers chosen requests itself, passes on the others, and records credentials."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from tests.contract.both_clients import PassingTransport

STORAGE = "/artifact-storage/"


class RefusingTransport(PassingTransport):
    """Sends the response of ``answer``, if there is one, instead of the server's.

    Attributes:
        asked: method and path of every request, in order.
        with_key: paths of the requests with credentials.
    """

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response | None]) -> None:
        super().__init__()
        self._answer = answer
        self.asked: list[str] = []
        self.with_key: list[str] = []

    def before(self, request: httpx.Request) -> httpx.Request | httpx.Response:
        self.asked.append(request.url.path)
        if "authorization" in request.headers:
            self.with_key.append(request.url.path)
        return self._answer(request) or request
