"""The synchronous driver: performs a flow's effects over `httpx.Client`."""

from __future__ import annotations

import time
import weakref
from types import TracebackType
from typing import Self, TypeVar

import httpx

from runql.config import Settings
from runql.errors import RunqlError
from runql.transport.endpoint import Endpoint
from runql.transport.flow import Effect, Flow, Reply, Sleep
from runql.transport.retry import Outcome, RetryPolicy, persist
from runql.transport.wire import Request, Response, Traffic

T = TypeVar("T")


class RetryingClient:
    """A connection to one server, with its credentials and its patience.

    Attributes:
        settings: where requests go and what defaults apply.
        traffic: what was sent and received so far.

    May be shared between threads. Close it, or use it in a ``with`` block, when many are made.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.traffic = Traffic()
        self._retry = retry or RetryPolicy()
        self._endpoint = Endpoint(settings)
        self._http = httpx.Client(timeout=settings.timeout, transport=transport)
        # A client that nobody closed, as in a notebook, closes its connections when it is dropped.
        weakref.finalize(self, self._http.close)

    def __repr__(self) -> str:
        return f"RetryingClient({self.settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow to its end and return its result."""
        try:
            effect = next(flow)
            while True:
                try:
                    reply = self._perform(effect)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    def _perform(self, effect: Effect) -> Reply:
        if isinstance(effect, Sleep):
            time.sleep(effect.seconds)
            return None
        return self._persist(self._endpoint.request(effect))

    def _persist(self, request: Request) -> Response:
        tries = persist(request, self._retry)
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    step = tries.send(self._exchange(step))
                else:
                    time.sleep(step)
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    def _exchange(self, request: Request) -> Outcome:
        self.traffic.requests += 1
        self.traffic.bytes_sent += len(request.content or b"")
        method = "GET" if request.content is None else "POST"
        started = time.monotonic()
        try:
            answer = self._http.request(
                method, request.url, content=request.content, headers=self._endpoint.headers(request)
            )
        except httpx.HTTPError as error:
            return self._endpoint.failure(request, error, time.monotonic() - started)
        self.traffic.bytes_received += answer.num_bytes_downloaded
        return self._endpoint.response(answer, time.monotonic() - started)
