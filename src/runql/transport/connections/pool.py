"""Connections that are used again, the last one first: finding one costs the same, however many there are."""

# httpcore's pool looks at every connection before and after every request, and asks the system about each idle one: with
# 64 connections that takes longer than a small request. Its connections themselves are used here as they are, with its
# TLS and its proxies.

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Final, Generic, TypeAlias, TypeVar

import anyio

from runql.transport.connections.long_bodies import pieces_of
from runql.transport.deadlines.sockets import bind_sockets
from runql.transport.http_library import httpcore, httpx

MOST_IDLE: Final = 64
"""Idle connections that are kept for each origin."""

KEPT: Final = 5.0
"""Seconds after which an idle connection is closed, as in httpx."""

ConnectionT = TypeVar("ConnectionT")
_Origin: TypeAlias = tuple[bytes, bytes, int]


def _key_of(request: httpcore.Request) -> _Origin:
    if request.url.scheme not in {b"http", b"https"}:
        raise httpcore.UnsupportedProtocol(
            f"a URL of {request.url.scheme.decode()} is neither http nor https"
        )
    origin = request.url.origin
    return origin.scheme, origin.host, origin.port


class _Stacks(Generic[ConnectionT]):
    """The open connections, and the idle ones among them by origin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[ConnectionT] = set()
        self._idle: dict[_Origin, deque[tuple[float, ConnectionT]]] = {}

    @property
    def open(self) -> list[ConnectionT]:
        with self._lock:
            return list(self._open)

    def take(self, origin: _Origin) -> ConnectionT | None:
        """Return the connection that was idle for the shortest time; its server may have closed it."""
        with self._lock:
            stack = self._idle.get(origin)
            return stack.pop()[1] if stack else None

    def put(self, origin: _Origin, connection: ConnectionT) -> list[ConnectionT]:
        """Keep a connection for the next request, and return those to close: idle for too long, or too many."""
        now = time.monotonic()
        with self._lock:
            if connection in self._open:
                self._idle.setdefault(origin, deque()).append((now, connection))
            surplus: list[ConnectionT] = []
            for stack in self._idle.values():
                while stack and (stack[0][0] < now - KEPT or len(stack) > MOST_IDLE):
                    surplus.append(stack.popleft()[1])
            self._open.difference_update(surplus)
            return surplus

    def add(self, connection: ConnectionT) -> ConnectionT:
        with self._lock:
            self._open.add(connection)
        return connection

    def drop(self, connection: ConnectionT) -> None:
        with self._lock:
            self._open.discard(connection)

    def clear(self) -> list[ConnectionT]:
        with self._lock:
            connections = list(self._open)
            self._open.clear()
            self._idle.clear()
            return connections


class ConnectionPool(httpcore.ConnectionPool):
    """The connections of threads: those that ``maker`` makes, with its TLS and its proxies."""

    def __init__(self, maker: httpcore.ConnectionPool) -> None:
        super().__init__()
        self.maker: httpcore.ConnectionPool = maker
        self._stacks: _Stacks[httpcore.ConnectionInterface] = _Stacks()

    @property
    def connections(self) -> list[httpcore.ConnectionInterface]:
        """The open connections, in no order."""
        return self._stacks.open

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request over an idle connection, or over a new one."""
        key = _key_of(request)
        while (connection := self._stacks.take(key)) is not None:
            if connection.is_available() and not connection.has_expired():
                break
            self._close(connection)
        if connection is None:
            connection = self._stacks.add(self.maker.create_connection(request.url.origin))
        try:
            response = connection.handle_request(request)
        except BaseException:
            self._close(connection)
            raise
        if not isinstance(response.stream, Iterable):
            raise TypeError("a connection of threads returned the body of an event loop")
        pieces = pieces_of(response.stream, request, response)
        response.stream = _Body(response.stream, pieces, self, key, connection)
        return response

    def give_back(self, origin: _Origin, connection: httpcore.ConnectionInterface) -> None:
        """Keep a connection whose response has ended; close it if the response was not read to its end."""
        if not connection.is_idle():
            self._close(connection)
            return
        for surplus in self._stacks.put(origin, connection):
            surplus.close()

    def _close(self, connection: httpcore.ConnectionInterface) -> None:
        self._stacks.drop(connection)
        connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._stacks.clear():
            connection.close()


class _Body:
    """A response's body, which gives its connection back when it is closed."""

    def __init__(
        self,
        stream: Iterable[bytes],
        pieces: Iterable[bytes],
        pool: ConnectionPool,
        origin: _Origin,
        connection: httpcore.ConnectionInterface,
    ) -> None:
        self._stream = stream
        self._pieces = pieces
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close: Callable[[], None] | None = getattr(self._stream, "close", None)
            if close is not None:
                close()
        finally:
            self._pool.give_back(self._origin, self._connection)


class AsyncConnectionPool(httpcore.AsyncConnectionPool):
    """The connections of one event loop: those that ``maker`` makes, with its TLS and its proxies."""

    def __init__(self, maker: httpcore.AsyncConnectionPool) -> None:
        super().__init__()
        self.maker: httpcore.AsyncConnectionPool = maker
        self._stacks: _Stacks[httpcore.AsyncConnectionInterface] = _Stacks()

    @property
    def connections(self) -> list[httpcore.AsyncConnectionInterface]:
        """The open connections, in no order."""
        return self._stacks.open

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request over an idle connection, or over a new one."""
        key = _key_of(request)
        while (connection := self._stacks.take(key)) is not None:
            if connection.is_available() and not connection.has_expired():
                break
            await self._close(connection)
        if connection is None:
            connection = self._stacks.add(self.maker.create_connection(request.url.origin))
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await self._close(connection)
            raise
        if not isinstance(response.stream, AsyncIterable):
            raise TypeError("a connection of an event loop returned the body of a thread")
        response.stream = _AwaitedBody(response.stream, self, key, connection)
        return response

    async def give_back(self, origin: _Origin, connection: httpcore.AsyncConnectionInterface) -> None:
        """Keep a connection whose response has ended; close it if the response was not read to its end."""
        if not connection.is_idle():
            await self._close(connection)
            return
        await _close_all(self._stacks.put(origin, connection))

    async def _close(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._stacks.drop(connection)
        await _close_all([connection])

    async def aclose(self) -> None:
        """Close all connections."""
        await _close_all(self._stacks.clear())


class _AwaitedBody:
    """A response's body, which gives its connection back when it is closed."""

    def __init__(
        self,
        stream: AsyncIterable[bytes],
        pool: AsyncConnectionPool,
        origin: _Origin,
        connection: httpcore.AsyncConnectionInterface,
    ) -> None:
        self._stream = stream
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close: Callable[[], Awaitable[None]] | None = getattr(self._stream, "aclose", None)
            if close is not None:
                await close()
        finally:
            await self._pool.give_back(self._origin, self._connection)


async def _close_all(connections: list[httpcore.AsyncConnectionInterface]) -> None:
    if connections:
        # Also where the task is cancelled: nobody else knows these connections.
        with anyio.CancelScope(shield=True):
            for connection in connections:
                await connection.aclose()


def use_pools(client: httpx.Client, *, is_own: bool) -> None:
    """Let the connections of an httpx client respect deadlines, also those through proxies, and be kept here.

    httpx has no parameter for either, so this replaces private attributes. A caller's transport, which is not our
    own, keeps its pool: that has limits of the caller's. Transports of other kinds stay as they are.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
            bind_sockets(pool)
            if is_own:
                transport._pool = ConnectionPool(pool)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above


def use_async_pools(client: httpx.AsyncClient) -> None:
    """Let the connections of an httpx client with our own transports be kept here; as `use_pools`."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see there
        if isinstance(transport, httpx.AsyncHTTPTransport):
            transport._pool = AsyncConnectionPool(transport._pool)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see there
