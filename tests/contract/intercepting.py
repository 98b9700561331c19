"""A transport that replaces requests' responses, or fails, in place of the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
from tests.contract.both_clients import PassingTransport

Fault: TypeAlias = httpx.Response | httpx.TransportError | None


@dataclass(frozen=True)
class Sent:
    """One operation; `answer` is the server's response body, ``None`` before the server responds."""

    operation: str
    variables: dict[str, Any] = field(default_factory=dict[str, Any])  # Any: JSON, looked at by tests
    answer: str | None = None


class InterceptingTransport(PassingTransport):
    """Calls ``fault`` before it sends an operation, and again with the server's response.

    A result of ``fault`` replaces the response; None changes nothing. ``seen`` lists the operations.
    """

    def __init__(self, fault: Callable[[Sent], Fault]) -> None:
        super().__init__()
        self.seen: list[Sent] = []
        self._fault = fault

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent = self._before(request)
        if (fault := self._fault(sent)) is not None:
            return _faulty(fault, request)
        answer = super().handle_request(request)
        answer.read()
        return self._after(sent, answer, request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = self._before(request)
        if (fault := self._fault(sent)) is not None:
            return _faulty(fault, request)
        answer = await super().handle_async_request(request)
        await answer.aread()
        return self._after(sent, answer, request)

    def _before(self, request: httpx.Request) -> Sent:
        body: dict[str, Any] = json.loads(request.content)  # Any: as above
        sent = Sent(str(body["operationName"]), body["variables"])
        self.seen.append(sent)
        return sent

    def _after(self, sent: Sent, answer: httpx.Response, request: httpx.Request) -> httpx.Response:
        fault = self._fault(Sent(sent.operation, sent.variables, answer.text))
        # httpx has decoded the body that was read, so the response is built again without its encoding header.
        return (
            httpx.Response(answer.status_code, content=answer.content, request=request)
            if fault is None
            else _faulty(fault, request)
        )


def _faulty(fault: httpx.Response | httpx.TransportError, request: httpx.Request) -> httpx.Response:
    if isinstance(fault, httpx.Response):
        return fault
    fault.request = request
    raise fault
