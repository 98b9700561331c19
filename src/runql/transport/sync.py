"""The synchronous driver, which performs a flow's effects over `httpx.Client`."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from contextvars import copy_context
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

from pydantic import SecretStr

from runql.api_key import given_key
from runql.config import Settings, checked_deadline, checked_key, checked_timeout
from runql.errors import RunqlError
from runql.limits import Limits, ResponseLimitError, checked_limits, limited
from runql.partial_results import OnPartial, PartialReads, checked_partial
from runql.transport.connections.leftovers import watch
from runql.transport.connections.pool import use_pools
from runql.transport.connections.proxies import check_proxies
from runql.transport.connections.tls import LazySSLContext
from runql.transport.credentials.plain_http import check_plain_http
from runql.transport.deadlines.call import Call
from runql.transport.deadlines.sockets import bounding_sockets
from runql.transport.deadlines.waits import wait_for, wait_for_all
from runql.transport.endpoint import NO_REQUEST, UNSENT, Endpoint
from runql.transport.files.bodies import Sink, Source
from runql.transport.flow import Effect, Flow, Gather, Join, Offload, Reply, Send, Sleep, name_of
from runql.transport.http_library import httpx
from runql.transport.lifetime import (
    ForkSafeLock,
    checked_transport,
    disown_in_children,
    holds_connections,
    raise_closed,
    raise_other_process,
)
from runql.transport.limits.body import LimitedBody, SinkBody
from runql.transport.observation.log_setup import set_up_log
from runql.transport.observation.schema_drift import ResponseReader
from runql.transport.observation.spans import observed_call, request_span
from runql.transport.pacing.concurrency import SATURATED, SCOUTING, SCOUTING_TIMES, SCOUTS, Concurrency
from runql.transport.pacing.limiter import Place, RateLimiter, Turn, checked_share
from runql.transport.processes.terms import joined, terms_of
from runql.transport.queries.connection import NodeT, PageReader, SupportsConnection
from runql.transport.queries.operation import ModelT, SupportsOperation, execute_operation
from runql.transport.retry import TOO_MANY_REQUESTS, Outcome, RetryPolicy, send_with_retries
from runql.transport.sample_limits import SampleLimits
from runql.transport.single_flight import Flight
from runql.transport.wire import Request, Response, Traffic

T = TypeVar("T")


class RetryingClient:
    """A connection to one server, with its credentials and its retries.

    Attributes:
        settings: where requests go, and the defaults of paths.
        traffic: what was sent and received so far.
        sample_limits: how many rows the server sends in one list, as far as its responses have shown.
        limits: what it accepts from the server at most.

    Threads may share it. A forked child opens connections of its own, unless the caller gave a ``transport``, which
    only the first process can use (`UnshareableError`). A pickle holds its address and options, see `Api`. Close it, or
    use it in a ``with`` block.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry: int | RetryPolicy | None = None,
        deadline: float | None = None,
        transport: httpx.BaseTransport | None = None,
        limits: Limits | None = None,
        partial: OnPartial = "raise",
        share: float = 1.0,
        reader: ResponseReader | None = None,
    ) -> None:
        set_up_log()
        self.settings = settings
        self._deadline = checked_deadline(deadline)
        self.limits: Limits = checked_limits(limits)
        self._partial: OnPartial = checked_partial(partial)
        self.traffic: Traffic = Traffic()
        self.sample_limits: SampleLimits = SampleLimits()
        self._reader = reader
        self._retry = RetryPolicy().with_retries(retry)
        self._endpoint = Endpoint(settings)
        transport = checked_transport(transport, httpx.BaseTransport)
        if transport is None:
            check_proxies()
        if transport is None or holds_connections(transport):
            check_plain_http(settings, uses_proxies=transport is None)
        self._share = checked_share(share)
        self._rate_limiter = RateLimiter(self._share)
        self._transport = transport
        self._guard = ForkSafeLock()
        self._active_requests = 0
        self._is_closed = False
        self._is_inherited = False
        self._lender: RetryingClient | None = None
        self._http: httpx.Client | None = self._new_http_client()
        disown_in_children(self)

    def _new_http_client(self) -> httpx.Client:
        http = httpx.Client(
            timeout=self.settings.timeout,
            transport=self._transport,
            verify=LazySSLContext(),
        )
        use_pools(http, is_own=self._transport is None)
        # A client that nobody closed, as in a notebook, closes its connections when it is garbage-collected.
        self._finalizer = weakref.finalize(self, http.close)
        return http

    def disown(self) -> object:
        """In a forked child, leave the parent's connections to the parent; see `lifetime.Forkable`."""
        self._finalizer.detach()
        inherited, self._http = self._http, None
        self._active_requests = 0
        self._is_inherited = holds_connections(self._transport)
        return inherited

    def __reduce__(self) -> tuple[object, ...]:
        terms = terms_of(
            self.settings,
            self._retry,
            self._deadline,
            self.limits,
            self._partial,
            self._share,
            self._transport,
        )
        return joined, (RetryingClient, terms)

    def __copy__(self) -> Self:
        return self.with_options()

    def __deepcopy__(self, memo: object) -> Self:
        return self.with_options()

    def __repr__(self) -> str:
        return f"RetryingClient({self.settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Running requests of other threads end first; later requests raise `ClientClosedError`."""
        with self._guard:
            self._is_closed = True
            http = None if self._active_requests else self._http
        if http is not None:
            http.close()

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | RetryPolicy | None = None,
        deadline: float | None = None,
        limits: Limits | None = None,
        partial: OnPartial | None = None,
    ) -> Self:
        """Return a copy with other options, which uses the connections of this client; see `Api.with_options`."""
        seconds = self.settings.timeout if timeout is None else checked_timeout(timeout)
        settings = replace(self.settings, timeout=seconds)
        other = object.__new__(type(self))
        vars(other).update(
            vars(self),
            settings=settings,
            limits=self.limits if limits is None else checked_limits(limits),
            _partial=self._partial if partial is None else checked_partial(partial),
            _retry=self._retry.with_retries(retries),
            _deadline=self._deadline if deadline is None else checked_deadline(deadline),
            _endpoint=self._endpoint.with_timeout(seconds),
            _lender=self,
            _http=None,
            _is_closed=False,
        )
        return other

    def with_key(self, key: str | SecretStr) -> Self:
        """Return a copy that sends another key, over the connections of this client; see `Api.with_key`."""
        given = given_key(key)
        del key  # tracebacks of errors show this frame's variables
        other = self.with_options()
        settings = replace(self.settings, api_key=checked_key(given))
        vars(other).update(settings=settings, _endpoint=self._endpoint.with_key(settings.api_key))
        return other

    def with_share(self, share: float) -> Self:
        """Return a copy that uses such a part of this client's rate limit; requests of both are not counted together."""
        other = self.with_options()
        part = self._share * checked_share(share)
        vars(other).update(_share=part, _rate_limiter=RateLimiter(part))
        return other

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    @contextmanager
    def _connections(self) -> Generator[httpx.Client]:
        """Lend the connections to one request, and keep them open until it ends."""
        if self._lender is not None:
            if self._is_closed:
                raise_closed()
            with self._lender._connections() as http:  # noqa: SLF001 - of the same class
                yield http
            return
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

    def execute(self, operation: SupportsOperation[ModelT]) -> ModelT:
        """Send an operation of your own, and return the response's data.

        ``runql-codegen`` generates the functions that make operations (docs/own-queries.md)::

            data = api.client.execute(gate_runs(entity="team", project="vision"))

        The client sends it as runql's own operations: with the same credentials, retries and errors. It does not send
        a mutation again that the server may have received.

        Raises:
            TypeError: a part of the operation is absent or has another type; nothing is sent.
            ValueError: the parts of the operation do not fit each other; nothing is sent.
            AnswerError: the server refused, failed or reported GraphQL errors.
            OutdatedServerError: the server does not know a part of the operation: it has another schema.
            SchemaDriftError: the data does not fit the operation's model.
            TransportError: no usable response arrived.

        Requests: one.
        """
        return self.run(execute_operation(operation))

    def pages(
        self,
        operation: SupportsOperation[ModelT],
        *,
        connection: Callable[[ModelT], SupportsConnection[NodeT] | None],
        cursor: str = "after",
    ) -> Iterator[NodeT]:
        """Iterate over the nodes of a connection of your own query, in the server's order.

        The iteration requests a page when it reaches it::

            for run in api.client.pages(
                gate_runs(entity="team", project="vision"),
                connection=lambda data: data.project.runs if data.project else None,
            ):
                print(run.name)

        A null node is None. Each iterator starts with the first page.

        Args:
            operation: the query for the first page.
            connection: returns the connection in a response.
            cursor: the query's variable that takes the cursor of the next page.

        Raises:
            PaginationError: the connection is null, or the server sends no cursor or one that was used before.
            TypeError: a part of the operation or of the connection is absent or has another type.
            ValueError: the operation is a mutation, or declares no variable for the cursor; nothing is sent.
            RunqlError: as `execute`.

        Requests: none here; one for each page, when the iteration reaches it.
        """
        return self._nodes(PageReader(operation, connection, cursor))

    def _nodes(self, reader: PageReader[ModelT, NodeT]) -> Iterator[NodeT]:
        while reader.more:
            yield from self.run(reader.read())

    def call(self) -> AbstractContextManager[Call]:
        """Let all requests inside the block count as one call: they share the deadline and the retry budget.

        Each public method is such a block of its own, and so is each step of an iteration::

            with api.client.call():
                run = api.run(path)
                rows = run.history()

        A generator must not be suspended inside the block.
        """
        return observed_call(self, self._new_call)

    def _partial_reads(self) -> PartialReads:
        return PartialReads(self._partial, self._endpoint.credentials.redact)

    def _new_call(self) -> Call:
        return Call(self._deadline, budget=self._retry.new_budget())

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow's effects until it ends, and return its result."""
        with self.call() as call, limited(self.limits), self._partial_reads():
            try:
                return self._run(flow, None, call)
            except RunqlError as error:
                self._endpoint.credentials.redact_error(error)
                raise

    def _run(self, flow: Flow[T], slots: threading.Semaphore | None, call: Call) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    reply = self._perform(effect, slots, call)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    def _perform(self, effect: Effect, slots: threading.Semaphore | None, call: Call) -> Reply:
        if isinstance(effect, Gather):
            self._gather(effect, call)
            return None
        if call.is_over:
            raise call.exceeded(name_of(effect), sent=False)
        if isinstance(effect, Sleep):
            call.check_wait(effect.seconds, name_of(effect))
            time.sleep(effect.seconds)
            return None
        if isinstance(effect, Offload):
            with _slot_released(slots):
                effect.work()
            return None
        if isinstance(effect, Join):
            with _slot_released(slots):
                _join(effect.flight, call)
            return None
        request = self._endpoint.request(effect)
        response = self._send(request, call)
        while (reduced := self._endpoint.reduced_request(effect, request, response)) is not None:
            request = reduced
            response = self._send(request, call)
        if self._reader is not None and isinstance(effect, Send):
            self._reader(request.content or b"", response.content)
        return response

    def _gather(self, effect: Gather, call: Call) -> None:
        from concurrent.futures import Future, ThreadPoolExecutor

        flows, limit = effect.flows, effect.limit
        if min(limit, len(flows)) <= 1:
            for flow in flows:
                self._run(flow, None, call)
            return
        # Threads that do more than wait for the network keep each other from it.
        at_first = SCOUTS if effect.release_on_offload else effect.at_first
        concurrency = Concurrency(min(limit, len(flows)), time.monotonic(), self.traffic.retries, at_first)
        waiting, lock, stopped = iter(flows), threading.Lock(), threading.Event()
        one_ended = threading.Event()
        slots = threading.Semaphore(concurrency.limit) if effect.release_on_offload else None
        futures: list[Future[None]] = []

        def add_workers(number: int) -> None:
            # Each thread gets a copy of the context: the limits, and what a caller's tracing keeps there.
            futures.extend(pool.submit(copy_context().run, work) for _ in range(number))

        def work() -> None:
            try:
                while True:
                    _take(slots)
                    change = 0
                    try:
                        with lock:
                            flow = None if stopped.is_set() else next(waiting, None)
                        if flow is None:
                            return
                        computed = time.thread_time()
                        self._run(flow, slots, call)
                        computed = time.thread_time() - computed
                        with lock:
                            change = concurrency.ended(time.monotonic(), self.traffic.retries, computed)
                    finally:
                        one_ended.set()
                        if slots is not None and change >= 0:
                            slots.release(change + 1)
                    if change < 0:
                        return
                    if change and not stopped.is_set():
                        add_workers(change)
            except BaseException:
                stopped.set()
                raise

        with ThreadPoolExecutor(effect.workers(limit), thread_name_prefix="runql") as pool:
            try:
                add_workers(effect.workers(concurrency.limit))
                if not _ends_soon(one_ended):
                    with lock:
                        more = concurrency.none_has_ended(time.monotonic())
                    if slots is not None and more:
                        slots.release(more)
                    add_workers(more)
                # Workers add workers before they end.
                ended = 0
                while ended < len(futures):
                    ended = len(futures)
                    wait_for_all(futures[:ended])
            finally:
                # Also when an interrupt ends the wait: leaving the pool waits for its threads.
                stopped.set()
        for future in futures:
            future.result()

    def _send(self, request: Request, call: Call) -> Response:
        tries, resends = send_with_retries(request, self._retry, call), 0
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    step = tries.send(self._exchange_in_turn(step, call, resends))
                else:
                    self._note_wait(step, retries=1)
                    resends += 1
                    time.sleep(step)
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    def _exchange_in_turn(self, request: Request, call: Call, resends: int) -> Outcome:
        turn = self._take_turn(request, call) if request.is_operation else None
        response = None
        try:
            with request_span(request, resends) as note:
                outcome = note(self._exchange(request, call))
            response = outcome if isinstance(outcome, Response) else None
        finally:
            if turn is not None:
                self._rate_limiter.end(turn, time.monotonic(), response)
        return outcome

    def _take_turn(self, request: Request, call: Call) -> Turn:
        turn = self._rate_limiter.begin(time.monotonic())
        try:
            while isinstance(turn, Place):
                call.check_wait(turn.seconds, request.name, "others, as the server limits their rate")
                self._note_wait(turn.seconds)
                time.sleep(turn.seconds)
                turn = self._rate_limiter.begin(time.monotonic(), turn)
        except BaseException:
            self._rate_limiter.leave()
            raise
        return turn

    def _note_wait(self, seconds: float, *, retries: int = 0) -> None:
        with self._guard:
            self.traffic.waited_seconds += seconds
            self.traffic.retries += retries

    def _exchange(self, request: Request, call: Call) -> Outcome:
        with self._connections() as http:
            with self._guard:
                self.traffic.requests += 1
                self.traffic.bytes_sent += request.size
            started = time.monotonic()
            try:
                with bounding_sockets(call), self._endpoint.credentials.guard():
                    http_response, content = self._receive(http, request, call)
            except (httpx.HTTPError, ResponseLimitError) as error:
                if isinstance(error, httpx.TimeoutException) and call.is_over:
                    raise call.exceeded(request.name, sent=not isinstance(error, UNSENT)) from error
                return self._endpoint.failure(request, error, time.monotonic() - started)
            with self._guard:
                self.traffic.bytes_received += http_response.num_bytes_downloaded
                self.traffic.rate_limited += http_response.status_code == TOO_MANY_REQUESTS
        return self._endpoint.response(request, http_response, content, time.monotonic() - started)

    def _receive(self, http: httpx.Client, request: Request, call: Call) -> tuple[httpx.Response, bytes]:
        """Return httpx's response and its body, which is empty when a sink took it."""
        content = request.content if request.source is None else _body_chunks(request.source)
        sent = self._endpoint.http_request(request, content, call.bound(self.settings.timeout))
        # The client would add cookies, redirects and copies of the request, which take time and are of no use here.
        transport = http._transport_for_url(sent.url)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        with closing(transport.handle_request(sent)) as http_response:
            http_response.request = NO_REQUEST
            watch(http_response)
            if request.sink is not None and request.sink.begin(
                http_response.status_code, http_response.headers
            ):
                sink_body = SinkBody(request, http_response, self.limits)
                _fill_sink(request.sink, call.checked(_chunks(http_response), request.name), sink_body)
                return http_response, b""
            body = LimitedBody(request, http_response, self.limits)
            for chunk in call.checked(_chunks(http_response), request.name):
                body.take(chunk)
            return http_response, body.content()


def _ends_soon(one_ended: threading.Event) -> bool:
    """Wait until a flow has ended, while the process computes: False where it waits for the network, or for too long."""
    computed = time.process_time()
    for _ in range(SCOUTING_TIMES):
        if wait_for(one_ended, SCOUTING):
            return True
        before, computed = computed, time.process_time()
        if computed - before < SATURATED * SCOUTING:
            return False
    # It may be another thread of the application that computes.
    return False


def _take(slots: threading.Semaphore | None) -> None:
    if slots is not None:
        slots.acquire()


@contextmanager
def _slot_released(slots: threading.Semaphore | None) -> Generator[None]:
    """Release this flow's concurrency slot while the block runs."""
    if slots is None:
        yield
        return
    slots.release()
    try:
        yield
    finally:
        slots.acquire()


def _join(flight: Flight, call: Call) -> None:
    if flight.thread == threading.get_ident():
        raise RunqlError(
            "this thread is already reading the same data, and would wait for itself: "
            "do not ask for it in a callback or signal handler that interrupts the read"
        )
    ended = threading.Event()
    flight.when_ended(ended.set)
    if not wait_for(ended, call.bound(None)):
        raise call.exceeded("", sent=False)


def _chunks(http_response: httpx.Response) -> Iterator[bytes]:
    # A transport of the caller may have read the body. No chunk size: httpx would copy every byte to cut equal chunks.
    return http_response.iter_bytes() if http_response.is_stream_consumed else http_response.iter_raw()


def _fill_sink(sink: Sink, chunks: Iterable[bytes], body: SinkBody) -> None:
    for chunk in chunks:
        for piece in body.pieces(chunk):
            sink.take(piece)
            if sink.is_full:
                sink.flush()
        sink.report()
    body.finish()


def _body_chunks(source: Source) -> Iterator[bytes]:
    sent = 0
    for chunk in source.chunks():
        yield chunk
        sent += len(chunk)
        source.report(sent)
