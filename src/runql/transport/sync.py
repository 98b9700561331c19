"""The synchronous driver: performs a flow's effects over `httpx.Client`."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import NoReturn, Self, TypeVar

import httpx

from runql.config import Settings
from runql.errors import RunqlError
from runql.transport.bodies import Sink, Source
from runql.transport.endpoint import LIMITS, Endpoint, NoCookies, is_for_httpx_to_read, parsed
from runql.transport.flow import Effect, Flow, Gather, Join, Offload, Reply, Sleep
from runql.transport.lifetime import (
    ForkSafeLock,
    disown_in_children,
    holds_connections,
    raise_closed,
    raise_not_pickled,
    raise_other_process,
)
from runql.transport.proxies import check_proxies
from runql.transport.rate_limiter import RateLimiter
from runql.transport.retry import Outcome, RetryPolicy, send_with_retries
from runql.transport.sample_limits import SampleLimits
from runql.transport.single_flight import Flight
from runql.transport.tls import LazySSLContext
from runql.transport.wire import Request, Response, Traffic

T = TypeVar("T")


class RetryingClient:
    """A connection to one server, with its credentials and its patience.

    Attributes:
        settings: where requests go and what defaults apply.
        traffic: what was sent and received so far.
        sample_limits: what the server has shown of how many rows it sends at once.

    May be shared between threads, and used in forked children: they make connections of their own, but with a
    ``transport`` of the caller's, which cannot be made anew (`UnshareableError`). It cannot be pickled. Close it, or
    use it in a ``with`` block, when many are made.
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
        self.sample_limits = SampleLimits()
        self._retry = retry or RetryPolicy()
        self._endpoint = Endpoint(settings)
        if transport is None:
            check_proxies()
        self._rate_limiter = RateLimiter()
        self._transport = transport
        self._guard = ForkSafeLock()
        self._active_requests = 0
        self._is_closed = False
        self._is_inherited = False
        self._http: httpx.Client | None = self._new_http_client()
        disown_in_children(self)

    def _new_http_client(self) -> httpx.Client:
        http = httpx.Client(
            timeout=self.settings.timeout,
            limits=LIMITS,
            cookies=NoCookies(),
            transport=self._transport,
            verify=LazySSLContext(),
        )
        # A client that nobody closed, as in a notebook, closes its connections when it is dropped.
        self._finalizer = weakref.finalize(self, http.close)
        return http

    def disown(self) -> object:
        """Leave the parent's connections to the parent, in a forked child; see `lifetime.Forkable`."""
        self._finalizer.detach()
        inherited, self._http = self._http, None
        self._active_requests = 0
        self._is_inherited = holds_connections(self._transport)
        return inherited

    def __reduce__(self) -> NoReturn:
        raise_not_pickled("an Api")

    def __repr__(self) -> str:
        return f"RetryingClient({self.settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; requests under way in other threads end first, further ones raise `ClientClosedError`."""
        with self._guard:
            self._is_closed = True
            http = None if self._active_requests else self._http
        if http is not None:
            http.close()

    @contextmanager
    def _connections(self) -> Generator[httpx.Client]:
        """The connections for one request; they are not closed before it ends."""
        with self._guard:
            if self._is_closed:
                raise_closed()
            if self._is_inherited:
                raise_other_process()
            http = self._http = self._http or self._new_http_client()
            self._active_requests += 1
        try:
            yield http
        finally:
            with self._guard:
                self._active_requests -= 1
                is_last = self._is_closed and not self._active_requests
            if is_last:
                http.close()

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow to its end and return its result."""
        return self._run(flow, None)

    def _run(self, flow: Flow[T], slots: threading.Semaphore | None) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    reply = self._perform(effect, slots)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    def _perform(self, effect: Effect, slots: threading.Semaphore | None) -> Reply:
        if isinstance(effect, Sleep):
            time.sleep(effect.seconds)
            return None
        if isinstance(effect, Gather):
            self._gather(effect)
            return None
        if isinstance(effect, Offload):
            with _slot_released(slots):
                effect.work()
            return None
        if isinstance(effect, Join):
            with _slot_released(slots):
                _join(effect.flight)
            return None
        request = self._endpoint.request(effect)
        response = self._send(request)
        while (reduced := self._endpoint.reduced_request(effect, request, response)) is not None:
            request = reduced
            response = self._send(request)
        return response

    def _gather(self, effect: Gather) -> None:
        from concurrent.futures import ThreadPoolExecutor, wait

        flows, limit = effect.flows, effect.limit
        if min(limit, len(flows)) <= 1:
            for flow in flows:
                self.run(flow)
            return
        waiting, lock, stopped = iter(flows), threading.Lock(), threading.Event()
        slots = threading.Semaphore(limit) if effect.release_on_offload else None

        def work() -> None:
            try:
                while True:
                    with slots or nullcontext():
                        with lock:
                            flow = None if stopped.is_set() else next(waiting, None)
                        if flow is None:
                            return
                        self._run(flow, slots)
            except BaseException:
                stopped.set()
                raise

        with ThreadPoolExecutor(effect.workers, thread_name_prefix="runql") as pool:
            try:
                futures = [pool.submit(work) for _ in range(effect.workers)]
                wait(futures)
            finally:
                # Also when the caller is interrupted while it waits.
                stopped.set()
        for future in futures:
            future.result()

    def _send(self, request: Request) -> Response:
        tries = send_with_retries(request, self._retry)
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    if step.is_operation and (wait := self._rate_limiter.wait(time.monotonic())):
                        time.sleep(wait)
                    step = tries.send(self._exchange(step))
                else:
                    time.sleep(step)
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    def _exchange(self, request: Request) -> Outcome:
        with self._connections() as http:
            with self._guard:
                self.traffic.requests += 1
                self.traffic.bytes_sent += request.size
            started = time.monotonic()
            try:
                answer, content = self._receive(http, request)
            except httpx.HTTPError as error:
                return self._endpoint.failure(request, error, time.monotonic() - started)
            with self._guard:
                self.traffic.bytes_received += answer.num_bytes_downloaded
        if request.is_operation:
            self._rate_limiter.note(answer.headers, time.monotonic())
        return self._endpoint.response(request, answer, content, time.monotonic() - started)

    def _receive(self, http: httpx.Client, request: Request) -> tuple[httpx.Response, bytes]:
        """The answer and its body, which is empty when a sink took it."""
        content = request.content if request.source is None else _body_chunks(request.source)
        headers = self._endpoint.headers(request)
        with http.stream(request.method, parsed(request.url), content=content, headers=headers) as answer:
            if request.sink is not None and request.sink.begin(answer.status_code, answer.headers):
                _fill_sink(request.sink, answer)
                return answer, b""
            if is_for_httpx_to_read(answer):
                return answer, answer.read()
            return answer, b"".join(answer.iter_raw())


@contextmanager
def _slot_released(slots: threading.Semaphore | None) -> Generator[None]:
    """Leave one's place among several flows to another meanwhile."""
    if slots is None:
        yield
        return
    slots.release()
    try:
        yield
    finally:
        slots.acquire()


def _join(flight: Flight) -> None:
    if flight.thread == threading.get_ident():
        raise RunqlError(
            "what is read here is being read by the same thread already, which would wait for itself: "
            "a callback or signal handler asks for what it interrupted"
        )
    ended = threading.Event()
    flight.when_ended(ended.set)
    ended.wait()


def _fill_sink(sink: Sink, answer: httpx.Response) -> None:
    # As they come: httpx copies what it cuts to one size, which takes longer than writing it.
    for chunk in answer.iter_bytes() if is_for_httpx_to_read(answer) else answer.iter_raw():
        sink.take(chunk)
        if sink.is_full:
            sink.flush()
        sink.report()


def _body_chunks(source: Source) -> Iterator[bytes]:
    sent = 0
    for chunk in source.chunks():
        yield chunk
        sent += len(chunk)
        source.report(sent)
