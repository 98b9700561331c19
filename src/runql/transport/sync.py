"""The synchronous driver: performs a flow's effects over `httpx.Client`."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Self, TypeVar

import httpx

from runql.config import Settings
from runql.errors import RunqlError
from runql.transport.bodies import Sink, Source
from runql.transport.endpoint import LIMITS, Endpoint, NoCookies, is_for_httpx_to_read, parsed
from runql.transport.flow import Effect, Flow, Gather, Join, Offload, Reply, Sleep
from runql.transport.pace import Pace
from runql.transport.retry import Outcome, RetryPolicy, persist
from runql.transport.sample_limits import SampleLimits
from runql.transport.single_flight import Flight
from runql.transport.tls import LateContext
from runql.transport.wire import Request, Response, Traffic

T = TypeVar("T")


class RetryingClient:
    """A connection to one server, with its credentials and its patience.

    Attributes:
        settings: where requests go and what defaults apply.
        traffic: what was sent and received so far.
        sample_limits: what the server has shown of how many rows it sends at once.

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
        self.sample_limits = SampleLimits()
        self._retry = retry or RetryPolicy()
        self._endpoint = Endpoint(settings)
        self._pace = Pace()
        self._counting = threading.Lock()
        self._http = httpx.Client(
            timeout=settings.timeout,
            limits=LIMITS,
            cookies=NoCookies(),
            transport=transport,
            verify=LateContext(),
        )
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
        return self._run(flow, None)

    def _run(self, flow: Flow[T], places: threading.Semaphore | None) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    reply = self._perform(effect, places)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    def _perform(self, effect: Effect, places: threading.Semaphore | None) -> Reply:
        if isinstance(effect, Sleep):
            time.sleep(effect.seconds)
            return None
        if isinstance(effect, Gather):
            self._gather(effect)
            return None
        if isinstance(effect, Offload):
            with _left(places):
                effect.work()
            return None
        if isinstance(effect, Join):
            with _left(places):
                _join(effect.flight)
            return None
        request = self._endpoint.request(effect)
        response = self._persist(request)
        while (lighter := self._endpoint.lighter(effect, request, response)) is not None:
            request = lighter
            response = self._persist(request)
        return response

    def _gather(self, effect: Gather) -> None:
        from concurrent.futures import ThreadPoolExecutor, wait

        flows, limit = effect.flows, effect.limit
        if min(limit, len(flows)) <= 1:
            for flow in flows:
                self.run(flow)
            return
        waiting, taking, stopped = iter(flows), threading.Lock(), threading.Event()
        places = threading.Semaphore(limit) if effect.offloads_apart else None

        def work() -> None:
            try:
                while True:
                    with places or nullcontext():
                        with taking:
                            flow = None if stopped.is_set() else next(waiting, None)
                        if flow is None:
                            return
                        self._run(flow, places)
            except BaseException:
                stopped.set()
                raise

        with ThreadPoolExecutor(effect.workers, thread_name_prefix="runql") as pool:
            try:
                begun = [pool.submit(work) for _ in range(effect.workers)]
                wait(begun)
            finally:
                # Also when the caller is interrupted while it waits.
                stopped.set()
        for done in begun:
            done.result()

    def _persist(self, request: Request) -> Response:
        tries = persist(request, self._retry)
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    if step.is_operation and (wait := self._pace.wait(time.monotonic())):
                        time.sleep(wait)
                    step = tries.send(self._exchange(step))
                else:
                    time.sleep(step)
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    def _exchange(self, request: Request) -> Outcome:
        with self._counting:
            self.traffic.requests += 1
            self.traffic.bytes_sent += request.size
        started = time.monotonic()
        try:
            answer, content = self._received(request)
        except httpx.HTTPError as error:
            return self._endpoint.failure(request, error, time.monotonic() - started)
        with self._counting:
            self.traffic.bytes_received += answer.num_bytes_downloaded
        if request.is_operation:
            self._pace.note(answer.headers, time.monotonic())
        return self._endpoint.response(answer, content, time.monotonic() - started)

    def _received(self, request: Request) -> tuple[httpx.Response, bytes]:
        """The answer and its body, which is empty when a sink took it."""
        content = request.content if request.source is None else _sent(request.source)
        headers = self._endpoint.headers(request)
        with self._http.stream(
            request.method, parsed(request.url), content=content, headers=headers
        ) as answer:
            if request.sink is not None and request.sink.begin(answer.status_code, answer.headers):
                _fill(request.sink, answer)
                return answer, b""
            if is_for_httpx_to_read(answer):
                return answer, answer.read()
            return answer, b"".join(answer.iter_raw())


@contextmanager
def _left(places: threading.Semaphore | None) -> Generator[None]:
    """Leave one's place among several flows to another meanwhile."""
    if places is None:
        yield
        return
    places.release()
    try:
        yield
    finally:
        places.acquire()


def _join(flight: Flight) -> None:
    if flight.thread == threading.get_ident():
        raise RunqlError(
            "what is read here is being read by the same thread already, which would wait for itself: "
            "a callback or signal handler asks for what it interrupted"
        )
    ended = threading.Event()
    flight.when_ended(ended.set)
    ended.wait()


def _fill(sink: Sink, answer: httpx.Response) -> None:
    # As they come: httpx copies what it cuts to one size, which takes longer than writing it.
    for chunk in answer.iter_bytes() if is_for_httpx_to_read(answer) else answer.iter_raw():
        sink.take(chunk)
        if sink.is_full:
            sink.flush()
        sink.report()


def _sent(source: Source) -> Iterator[bytes]:
    sent = 0
    for chunk in source.chunks():
        yield chunk
        sent += len(chunk)
        source.report(sent)
