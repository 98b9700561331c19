"""The asynchronous driver: performs a flow's effects over `httpx.AsyncClient`."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from types import TracebackType
from typing import NoReturn, Self, TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
import httpx

from runql.config import Settings
from runql.errors import RunqlError
from runql.transport.bodies import Sink, Source
from runql.transport.endpoint import LIMITS, Endpoint, NoCookies, is_for_httpx_to_read, parsed
from runql.transport.event_loops import EventLoop, current_event_loop
from runql.transport.flow import Effect, Flow, Gather, Join, Offload, Reply, Sleep
from runql.transport.lifetime import (
    ForkSafeLock,
    disown_in_children,
    holds_connections,
    raise_closed,
    raise_not_pickled,
    raise_other_loop,
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


class _Pool:
    """The connections of one event loop.

    They are closed by `close`, or else with their loop, or when the pool is dropped, always on that loop: event loops
    close their asynchronous generators when they end, and those that nobody holds any more.

    Attributes:
        http: the connections.
        active_requests: requests that use them.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.active_requests = 0
        self._is_bound = False
        self._closing = _close_with_loop(http)

    async def bind(self) -> None:
        """Have the event loop that runs this close the connections in the end."""
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
    """A connection to one server, with its credentials and its patience.

    Attributes:
        settings: where requests go and what defaults apply.
        traffic: what was sent and received so far.
        sample_limits: what the server has shown of how many rows it sends at once.

    May be shared between tasks, and used in several event loops (asyncio or trio), one after the other or each in a
    thread of its own, and in forked children: each makes connections of its own, but with a ``transport`` of the
    caller's, which cannot be made anew (`UnshareableError`). It cannot be pickled. Close it, or use it in an ``async
    with`` block, when many are made; a loop that ends closes its connections.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
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
        self._is_closed = False
        self._is_inherited = False
        self._pools: WeakKeyDictionary[EventLoop, _Pool] = WeakKeyDictionary()
        # Made at once, although no event loop may be there yet: what is wrong with the environment's proxies is raised here.
        self._unused_http: httpx.AsyncClient | None = self._new_http_client()
        disown_in_children(self)

    def _new_http_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=self.settings.timeout,
            limits=LIMITS,
            cookies=NoCookies(),
            transport=self._transport,
            verify=LazySSLContext(),
        )

    def disown(self) -> object:
        """Leave the parent's connections to the parent, in a forked child; see `lifetime.Forkable`."""
        inherited = dict(self._pools)
        self._pools = WeakKeyDictionary()
        self._is_inherited = holds_connections(self._transport)
        return inherited

    def __reduce__(self) -> NoReturn:
        raise_not_pickled("an AsyncApi")

    def __repr__(self) -> str:
        return f"AsyncRetryingClient({self.settings.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; requests under way end first, further ones raise `ClientClosedError`.

        Those of other event loops are closed there, when these run again or end.
        """
        with self._guard:
            self._is_closed = True
            pools, self._pools = self._pools, WeakKeyDictionary()
        pool = pools.get(current_event_loop())
        if pool is not None and not pool.active_requests:
            await pool.close()

    @asynccontextmanager
    async def _connections(self) -> AsyncGenerator[httpx.AsyncClient]:
        """The connections of this event loop for one request; they are not closed before it ends."""
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

    async def run(self, flow: Flow[T]) -> T:
        """Perform a flow to its end and return its result."""
        return await self._run(flow, None)

    async def _run(self, flow: Flow[T], slots: anyio.Semaphore | None) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    reply = await self._perform(effect, slots)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    async def _perform(self, effect: Effect, slots: anyio.Semaphore | None) -> Reply:
        if isinstance(effect, Sleep):
            await anyio.sleep(effect.seconds)
            return None
        if isinstance(effect, Gather):
            await self._gather(effect)
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
        response = await self._send(request)
        while (reduced := self._endpoint.reduced_request(effect, request, response)) is not None:
            request = reduced
            response = await self._send(request)
        return response

    async def _gather(self, effect: Gather) -> None:
        errors: list[BaseException] = []
        waiting = iter(effect.flows)
        slots = anyio.Semaphore(effect.limit) if effect.release_on_offload else None

        async def work() -> None:
            while True:
                async with slots or nullcontext():
                    flow = next(waiting, None)
                    if flow is None:
                        return
                    try:
                        await self._run(flow, slots)
                    except GeneratorExit:
                        raise
                    except anyio.get_cancelled_exc_class():
                        raise
                    except BaseException as error:  # noqa: BLE001 - kept, and raised bare below: a group would hide its kind
                        errors.append(error)
                        group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for _ in range(effect.workers):
                group.start_soon(work)
        if errors:
            raise errors[0]

    async def _send(self, request: Request) -> Response:
        tries = send_with_retries(request, self._retry)
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    if step.is_operation and (wait := self._rate_limiter.wait(time.monotonic())):
                        await anyio.sleep(wait)
                    step = tries.send(await self._exchange(step))
                else:
                    await anyio.sleep(step)
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    async def _exchange(self, request: Request) -> Outcome:
        async with self._connections() as http:
            with self._guard:
                self.traffic.requests += 1
                self.traffic.bytes_sent += request.size
            started = time.monotonic()
            try:
                answer, content = await self._receive(http, request)
            except httpx.HTTPError as error:
                return self._endpoint.failure(request, error, time.monotonic() - started)
            with self._guard:
                self.traffic.bytes_received += answer.num_bytes_downloaded
        if request.is_operation:
            self._rate_limiter.note(answer.headers, time.monotonic())
        return self._endpoint.response(request, answer, content, time.monotonic() - started)

    async def _receive(self, http: httpx.AsyncClient, request: Request) -> tuple[httpx.Response, bytes]:
        """The answer and its body, which is empty when a sink took it."""
        content = request.content if request.source is None else _body_chunks(request.source)
        headers = self._endpoint.headers(request)
        async with http.stream(
            request.method, parsed(request.url), content=content, headers=headers
        ) as answer:
            if request.sink is not None and request.sink.begin(answer.status_code, answer.headers):
                await _fill_sink(request.sink, answer)
                return answer, b""
            if is_for_httpx_to_read(answer):
                return answer, await answer.aread()
            return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


@asynccontextmanager
async def _slot_released(slots: anyio.Semaphore | None) -> AsyncGenerator[None]:
    """Leave one's place among several flows to another meanwhile."""
    if slots is None:
        yield
        return
    slots.release()
    try:
        yield
    finally:
        # Also when this was cancelled: whoever runs the flow gives the place back.
        with anyio.CancelScope(shield=True):
            await slots.acquire()


async def _join(flight: Flight) -> None:
    if flight.thread == threading.get_ident():
        ended = anyio.Event()
        flight.when_ended(ended.set)
        await ended.wait()
    else:
        # The event loop of another thread cannot wake this one.
        thread_event = threading.Event()
        flight.when_ended(thread_event.set)
        await anyio.to_thread.run_sync(thread_event.wait, abandon_on_cancel=True)


async def _fill_sink(sink: Sink, answer: httpx.Response) -> None:
    async for chunk in answer.aiter_bytes() if is_for_httpx_to_read(answer) else answer.aiter_raw():
        sink.take(chunk)
        if sink.is_full:
            await anyio.to_thread.run_sync(sink.flush)
        sink.report()


async def _body_chunks(source: Source) -> AsyncIterator[bytes]:
    sent, chunks = 0, source.chunks()
    while chunk := await anyio.to_thread.run_sync(next, chunks, b""):
        yield chunk
        sent += len(chunk)
        source.report(sent)
