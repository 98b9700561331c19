"""The asynchronous driver, which performs a flow's effects over `httpx.AsyncClient`."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from pydantic import SecretStr

from runql.api_key import given_key
from runql.config import Settings, checked_deadline, checked_key, checked_timeout
from runql.errors import RunqlError
from runql.limits import Limits, ResponseLimitError, checked_limits, limited
from runql.partial_results import OnPartial, PartialReads, checked_partial
from runql.transport.connections.leftovers import watch_awaited
from runql.transport.connections.pool import use_async_pools
from runql.transport.connections.proxies import check_proxies
from runql.transport.connections.tls import LazySSLContext
from runql.transport.credentials.plain_http import check_plain_http
from runql.transport.deadlines.call import Call
from runql.transport.endpoint import NO_REQUEST, UNSENT, Endpoint
from runql.transport.event_loops import EventLoop, current_event_loop
from runql.transport.files.bodies import Sink, Source
from runql.transport.flow import Alone, Effect, Flow, Gather, Join, Offload, Reply, Send, Sleep, name_of
from runql.transport.http_library import httpx
from runql.transport.lifetime import (
    ForkSafeLock,
    checked_transport,
    disown_in_children,
    holds_connections,
    raise_closed,
    raise_other_loop,
    raise_other_process,
)
from runql.transport.limits.body import LimitedBody, SinkBody
from runql.transport.observation.log_setup import set_up_log
from runql.transport.observation.schema_drift import ResponseReader
from runql.transport.observation.spans import observed_call, request_span
from runql.transport.pacing.concurrency import Concurrency
from runql.transport.pacing.limiter import Place, RateLimiter, Turn, checked_share
from runql.transport.processes.terms import joined, terms_of
from runql.transport.queries.connection import NodeT, PageReader, SupportsConnection
from runql.transport.queries.operation import ModelT, SupportsOperation, execute_operation
from runql.transport.retry import TOO_MANY_REQUESTS, Outcome, RetryPolicy, send_with_retries
from runql.transport.sample_limits import SampleLimits
from runql.transport.single_flight import Flight
from runql.transport.wire import Request, Response, Traffic

T = TypeVar("T")

GRACE: Final = 0.1
"""Seconds after the deadline when an effect is cancelled. httpx's timeouts end before: httpcore does not close a connection
that is cancelled in its TLS handshake.
"""


class _Pool:
    """The connections of one event loop.

    They close by `close`, when their loop ends, or when the pool is garbage-collected. All three happen on that loop:
    an event loop closes its asynchronous generators when it ends, and those that nothing refers to.

    Attributes:
        http: the connections.
        active_requests: how many requests use them.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.active_requests = 0
        self._is_bound = False
        self._closing = _close_with_loop(http)

    async def bind(self) -> None:
        """Let the running event loop close the connections when it ends."""
        if not self._is_bound:
            self._is_bound = True
            await anext(self._closing)

    async def close(self) -> None:
        """Close the connections."""
        await self._closing.aclose()


async def _close_with_loop(http: httpx.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await http.aclose()


class AsyncRetryingClient:
    """A connection to one server, with its credentials and its retries.

    Attributes:
        settings: where requests go, and the defaults of paths.
        traffic: what was sent and received so far.
        sample_limits: how many rows the server sends in one list, as far as its responses have shown.
        limits: what it accepts from the server at most.

    Tasks may share it. Each event loop (asyncio or trio) and each forked child opens connections of its own, unless the
    caller gave a ``transport``, which only the first can use (`UnshareableError`). A pickle holds its address and
    options, see `Api`. Close it, or use it in an ``async with`` block; a loop that ends closes its connections.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry: int | RetryPolicy | None = None,
        deadline: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
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
        transport = checked_transport(transport, httpx.AsyncBaseTransport)
        if transport is None:
            check_proxies()
        if transport is None or holds_connections(transport):
            check_plain_http(settings, uses_proxies=transport is None)
        self._share = checked_share(share)
        self._rate_limiter = RateLimiter(self._share)
        self._transport = transport
        self._guard = ForkSafeLock()
        self._is_closed = False
        self._is_inherited = False
        self._lender: AsyncRetryingClient | None = None
        self._pools: WeakKeyDictionary[EventLoop, _Pool] = WeakKeyDictionary()
        # Made before there is an event loop, so that errors in the environment's proxies are raised here.
        self._unused_http: httpx.AsyncClient | None = self._new_http_client()
        disown_in_children(self)

    def _new_http_client(self) -> httpx.AsyncClient:
        http = httpx.AsyncClient(
            timeout=self.settings.timeout,
            transport=self._transport,
            verify=LazySSLContext(),
        )
        if self._transport is None:
            use_async_pools(http)
        return http

    def disown(self) -> object:
        """In a forked child, leave the parent's connections to the parent; see `lifetime.Forkable`."""
        inherited = dict(self._pools)
        self._pools = WeakKeyDictionary()
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
        return joined, (AsyncRetryingClient, terms)

    def __copy__(self) -> Self:
        return self.with_options()

    def __deepcopy__(self, memo: object) -> Self:
        return self.with_options()

    def __repr__(self) -> str:
        return f"AsyncRetryingClient({self.settings.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Running requests end first; later requests raise `ClientClosedError`.

        Connections of other event loops close on those loops, when they run again or end.
        """
        with self._guard:
            self._is_closed = True
            pools, self._pools = self._pools, WeakKeyDictionary()
        pool = pools.get(current_event_loop())
        if pool is not None and not pool.active_requests:
            await pool.close()

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
            _pools=WeakKeyDictionary(),
            _unused_http=None,
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

    @asynccontextmanager
    async def _connections(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Lend this event loop's connections to one request, and keep them open until it ends."""
        if self._lender is not None:
            if self._is_closed:
                raise_closed()
            async with self._lender._connections() as http:  # noqa: SLF001 - of the same class
                yield http
            return
        pool = self._pool()
        pool.active_requests += 1
        try:
            await pool.bind()
            yield pool.http
        finally:
            pool.active_requests -= 1
            if self._is_closed and not pool.active_requests:
                await pool.close()

    def _pool(self) -> _Pool:
        loop = current_event_loop()
        with self._guard:
            if self._is_closed:
                raise_closed()
            if self._is_inherited:
                raise_other_process()
            pool = self._pools.get(loop)
            if pool is None:
                if self._unused_http is None and holds_connections(self._transport):
                    raise_other_loop()
                http, self._unused_http = self._unused_http or self._new_http_client(), None
                pool = self._pools[loop] = _Pool(http)
            return pool

    async def execute(self, operation: SupportsOperation[ModelT]) -> ModelT:
        """Send an operation of your own, and return the response's data.

        See `RetryingClient.execute` for its requests and errors.
        """
        return await self.run(execute_operation(operation))

    def pages(
        self,
        operation: SupportsOperation[ModelT],
        *,
        connection: Callable[[ModelT], SupportsConnection[NodeT] | None],
        cursor: str = "after",
    ) -> AsyncIterator[NodeT]:
        """Iterate over the nodes of a connection of your own query, in the server's order.

        See `RetryingClient.pages` for its requests and errors.
        """
        return self._nodes(PageReader(operation, connection, cursor))

    async def _nodes(self, reader: PageReader[ModelT, NodeT]) -> AsyncIterator[NodeT]:
        while reader.more:
            for node in await self.run(reader.read()):
                yield node

    def call(self) -> AbstractContextManager[Call]:
        """Let all requests inside the block count as one call: they share the deadline and the retry budget.

        See `RetryingClient.call` for its requests and errors.
        """
        return observed_call(self, self._new_call)

    def _partial_reads(self) -> PartialReads:
        return PartialReads(self._partial, self._endpoint.credentials.redact)

    def _new_call(self) -> Call:
        return Call(self._deadline, budget=self._retry.new_budget())

    async def run(self, flow: Flow[T]) -> T:
        """Perform a flow's effects until it ends, and return its result."""
        with self.call() as call, limited(self.limits), self._partial_reads():
            try:
                return await self._run(flow, None, call)
            except RunqlError as error:
                self._endpoint.credentials.redact_error(error)
                raise

    async def _run(self, flow: Flow[T], slots: anyio.Semaphore | None, call: Call) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    reply = await self._perform(effect, slots, call)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    async def _perform(self, effect: Effect, slots: anyio.Semaphore | None, call: Call) -> Reply:
        if isinstance(effect, Gather):
            await self._gather(effect, call)
            return None
        if call.is_over:
            raise call.exceeded(name_of(effect), sent=False)
        if call.deadline is None:
            return await self._perform_alone(effect, slots, call)
        # Around one effect, not around the flow: the flow then gets the error, and its caller what was read before.
        with anyio.move_on_after((call.remaining or 0.0) + GRACE):
            return await self._perform_alone(effect, slots, call)
        raise call.exceeded(name_of(effect))

    async def _perform_alone(self, effect: Alone, slots: anyio.Semaphore | None, call: Call) -> Reply:
        if isinstance(effect, Sleep):
            call.check_wait(effect.seconds, name_of(effect))
            await anyio.sleep(effect.seconds)
            return None
        if isinstance(effect, Offload):
            async with _slot_released(slots):
                await anyio.to_thread.run_sync(effect.work)
            return None
        if isinstance(effect, Join):
            async with _slot_released(slots):
                await _join(effect.flight)
            return None
        request = self._endpoint.request(effect)
        response = await self._send(request, call)
        while (reduced := self._endpoint.reduced_request(effect, request, response)) is not None:
            request = reduced
            response = await self._send(request, call)
        if self._reader is not None and isinstance(effect, Send):
            self._reader(request.content or b"", response.content)
        return response

    async def _gather(self, effect: Gather, call: Call) -> None:
        errors: list[BaseException] = []
        concurrency = Concurrency(
            min(effect.limit, len(effect.flows)), time.monotonic(), self.traffic.retries, effect.at_first
        )
        waiting = iter(effect.flows)
        slots = anyio.Semaphore(concurrency.limit) if effect.release_on_offload else None

        async def work() -> None:
            while True:
                if slots is not None:
                    await slots.acquire()
                change = 0
                try:
                    # A slot may come in the same step of the loop as the cancellation: the worker would go on once.
                    flow = None if errors else next(waiting, None)
                    if flow is None:
                        return
                    await self._run(flow, slots, call)
                    change = concurrency.ended(time.monotonic(), self.traffic.retries)
                except GeneratorExit:
                    raise
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:  # noqa: BLE001 - raised bare below: a group would hide its type
                    errors.append(error)
                    group.cancel_scope.cancel()
                finally:
                    if slots is not None:
                        for _ in range(change + 1):
                            slots.release()
                if change < 0:
                    return
                for _ in range(change):
                    group.start_soon(work)

        async with anyio.create_task_group() as group:
            for _ in range(effect.workers(concurrency.limit)):
                group.start_soon(work)
        if errors:
            raise errors[0]

    async def _send(self, request: Request, call: Call) -> Response:
        tries, resends = send_with_retries(request, self._retry, call), 0
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    step = tries.send(await self._exchange_in_turn(step, call, resends))
                else:
                    self._note_wait(step, retries=1)
                    resends += 1
                    await anyio.sleep(step)
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    async def _exchange_in_turn(self, request: Request, call: Call, resends: int) -> Outcome:
        turn = await self._take_turn(request, call) if request.is_operation else None
        response = None
        try:
            with request_span(request, resends) as note:
                outcome = note(await self._exchange(request, call))
            response = outcome if isinstance(outcome, Response) else None
        finally:
            if turn is not None:
                self._rate_limiter.end(turn, time.monotonic(), response)
        return outcome

    async def _take_turn(self, request: Request, call: Call) -> Turn:
        turn = self._rate_limiter.begin(time.monotonic())
        try:
            while isinstance(turn, Place):
                call.check_wait(turn.seconds, request.name, "others, as the server limits their rate")
                self._note_wait(turn.seconds)
                await anyio.sleep(turn.seconds)
                turn = self._rate_limiter.begin(time.monotonic(), turn)
        except BaseException:
            self._rate_limiter.leave()
            raise
        return turn

    def _note_wait(self, seconds: float, *, retries: int = 0) -> None:
        with self._guard:
            self.traffic.waited_seconds += seconds
            self.traffic.retries += retries

    async def _exchange(self, request: Request, call: Call) -> Outcome:
        async with self._connections() as http:
            with self._guard:
                self.traffic.requests += 1
                self.traffic.bytes_sent += request.size
            started = time.monotonic()
            try:
                with self._endpoint.credentials.guard():
                    http_response, content = await self._receive(http, request, call)
            except (httpx.HTTPError, ResponseLimitError) as error:
                if isinstance(error, httpx.TimeoutException) and call.is_over:
                    raise call.exceeded(request.name, sent=not isinstance(error, UNSENT)) from error
                return self._endpoint.failure(request, error, time.monotonic() - started)
            with self._guard:
                self.traffic.bytes_received += http_response.num_bytes_downloaded
                self.traffic.rate_limited += http_response.status_code == TOO_MANY_REQUESTS
        return self._endpoint.response(request, http_response, content, time.monotonic() - started)

    async def _receive(
        self, http: httpx.AsyncClient, request: Request, call: Call
    ) -> tuple[httpx.Response, bytes]:
        """Return httpx's response and its body, which is empty when a sink took it."""
        sent = self._endpoint.http_request(request, request.content, call.bound(self.settings.timeout))
        if request.source is not None:
            sent.stream = _SourceBody(request.source)
        # The client would add cookies, redirects and copies of the request, which take time and are of no use here.
        transport = http._transport_for_url(sent.url)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        async with aclosing(await transport.handle_async_request(sent)) as http_response:
            http_response.request = NO_REQUEST
            watch_awaited(http_response)
            if request.sink is not None and request.sink.begin(
                http_response.status_code, http_response.headers
            ):
                sink_body = SinkBody(request, http_response, self.limits)
                await _fill_sink(request.sink, _chunks(http_response), sink_body)
                return http_response, b""
            body = LimitedBody(request, http_response, self.limits)
            async for chunk in _chunks(http_response):
                body.take(chunk)
            return http_response, body.content()


@asynccontextmanager
async def _slot_released(slots: anyio.Semaphore | None) -> AsyncGenerator[None]:
    """Release this flow's concurrency slot while the block runs."""
    if slots is None:
        yield
        return
    slots.release()
    try:
        yield
    finally:
        # Also after a cancellation: the worker that runs the flow releases the slot once more.
        with anyio.CancelScope(shield=True):
            await slots.acquire()


async def _join(flight: Flight) -> None:
    if flight.thread == threading.get_ident():
        ended = anyio.Event()
        flight.when_ended(ended.set)
        await ended.wait()
    else:
        # An event loop cannot wake the loop of another thread.
        thread_event = threading.Event()
        flight.when_ended(thread_event.set)
        await anyio.to_thread.run_sync(thread_event.wait, abandon_on_cancel=True)


def _chunks(http_response: httpx.Response) -> AsyncIterator[bytes]:
    # A transport of the caller may have read the body.
    return http_response.aiter_bytes() if http_response.is_stream_consumed else http_response.aiter_raw()


async def _fill_sink(sink: Sink, chunks: AsyncIterator[bytes], body: SinkBody) -> None:
    async for chunk in chunks:
        for piece in body.pieces(chunk):
            sink.take(piece)
            if sink.is_full:
                # A cancellation ends the next read instead: here it would leave the body's generators suspended.
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(sink.flush)
        sink.report()
    body.finish()


class _SourceBody(httpx.AsyncByteStream):
    """The bytes of a local file. A generator would be left suspended by a cancellation while its bytes are sent."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._chunks = source.chunks()
        self._sent = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._sent:
            self._source.report(self._sent)
        chunk = await anyio.to_thread.run_sync(next, self._chunks, b"")
        if not chunk:
            raise StopAsyncIteration
        self._sent += len(chunk)
        return chunk

    async def aclose(self) -> None:
        self._chunks.close()
