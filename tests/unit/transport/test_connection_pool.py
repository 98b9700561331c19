"""Connections are used again, the last one first, and are asked about only when they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Never

import anyio
import anyio.lowlevel
import httpcore
import pytest

from runql.transport.connections import pool as pools
from runql.transport.connections.pool import AsyncConnectionPool, ConnectionPool

URL = "http://server.example/a"


class FakeConnection(httpcore.ConnectionInterface):
    """A connection of httpcore's kind that counts what it is asked."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.requests = 0
        self.asked = 0
        self.has_gone = False
        self.is_shut = False
        self.breaks = breaks
        self._is_busy = False

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        assert not self._is_busy
        assert request.method == b"GET"
        self.requests += 1
        if self.breaks:
            raise httpcore.ConnectError("broken")
        self._is_busy = True
        return httpcore.Response(200, content=_Stream(self))

    def end(self) -> None:
        self._is_busy = False

    def is_available(self) -> bool:
        return not self._is_busy and not self.is_shut

    def is_idle(self) -> bool:
        return not self._is_busy and not self.is_shut

    def has_expired(self) -> bool:
        self.asked += 1
        return self.has_gone

    def close(self) -> None:
        self.is_shut = True


class _Stream:
    def __init__(self, connection: FakeConnection) -> None:
        self._connection = connection

    def __iter__(self) -> Iterator[bytes]:
        yield b"body"
        self._connection.end()

    def close(self) -> None:
        pass


class Maker(httpcore.ConnectionPool):
    """Makes fake connections, and keeps them."""

    def __init__(self, *, breaks: bool = False) -> None:
        super().__init__()
        self.made: list[FakeConnection] = []
        self._breaks = breaks

    def create_connection(self, origin: httpcore.Origin) -> FakeConnection:
        assert origin.host
        self.made.append(FakeConnection(breaks=self._breaks))
        return self.made[-1]


def ask(pool: ConnectionPool, url: str = URL) -> httpcore.Response:
    return pool.handle_request(httpcore.Request("GET", url))


def read(response: httpcore.Response) -> None:
    assert response.read() == b"body"
    response.close()


def test_the_connection_that_was_used_last_is_used_next() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    first, second = ask(pool), ask(pool)
    read(second)
    read(first)
    for _ in range(3):
        read(ask(pool))
    assert [each.requests for each in maker.made] == [4, 1]


def test_a_request_asks_about_one_connection_however_many_are_idle() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    for response in [ask(pool) for _ in range(50)]:
        read(response)
    assert len(pool.connections) == 50
    before = sum(each.asked for each in maker.made)
    read(ask(pool))
    assert sum(each.asked for each in maker.made) - before == 1


def test_each_origin_has_its_own() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    for url in ("http://a.example/", "http://b.example/", "http://a.example:81/", "http://a.example/x"):
        read(ask(pool, url))
    assert [each.requests for each in maker.made] == [2, 1, 1]


def test_a_connection_that_its_server_closed_is_closed_and_the_next_one_taken() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    first, second = ask(pool), ask(pool)
    read(first)
    read(second)
    maker.made[1].has_gone = True
    read(ask(pool))
    assert [(each.requests, each.is_shut) for each in maker.made] == [(2, False), (1, True)]
    assert pool.connections == maker.made[:1]


def test_a_connection_that_failed_is_closed() -> None:
    maker = Maker(breaks=True)
    pool = ConnectionPool(maker)
    with pytest.raises(httpcore.ConnectError):
        ask(pool)
    assert maker.made[0].is_shut
    assert not pool.connections


def test_a_connection_whose_response_was_not_read_is_closed() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    ask(pool).close()
    assert maker.made[0].is_shut
    read(ask(pool))
    assert len(maker.made) == 2


def test_a_response_gives_its_connection_back_once() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    response = ask(pool)
    read(response)
    response.close()
    both = [ask(pool), ask(pool)]
    assert len(maker.made) == 2
    for each in both:
        read(each)


def test_idle_connections_end_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("runql.transport.connections.pool.time.monotonic", lambda: now)
    maker = Maker()
    pool = ConnectionPool(maker)
    for response in [ask(pool) for _ in range(3)]:
        read(response)
    now = pools.KEPT + 1
    read(ask(pool))
    assert [each.is_shut for each in maker.made] == [True, True, False]


def test_no_more_than_so_many_are_kept() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    for response in [ask(pool) for _ in range(pools.MOST_IDLE + 3)]:
        read(response)
    assert sum(not each.is_shut for each in maker.made) == len(pool.connections) == pools.MOST_IDLE


def test_closing_closes_all_and_what_comes_back_later() -> None:
    maker = Maker()
    pool = ConnectionPool(maker)
    read(ask(pool))
    busy = [ask(pool), ask(pool)]
    pool.close()
    assert all(each.is_shut for each in maker.made)
    for each in busy:
        each.close()
    assert not pool.connections


def test_a_cancelled_request_leaves_no_open_connection() -> None:
    class Silent(httpcore.AsyncConnectionInterface):
        def __init__(self) -> None:
            self.is_shut = False
            self.has_begun = anyio.Event()

        async def handle_async_request(self, request: httpcore.Request) -> Never:
            assert request.method == b"GET"
            self.has_begun.set()
            await anyio.sleep_forever()
            raise AssertionError

        async def aclose(self) -> None:
            await anyio.lowlevel.checkpoint()
            self.is_shut = True

    class AsyncMaker(httpcore.AsyncConnectionPool):
        def create_connection(self, origin: httpcore.Origin) -> Silent:
            assert origin.host
            return silent

    async def main() -> None:
        async def send() -> None:
            await pool.handle_async_request(httpcore.Request("GET", URL))

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await silent.has_begun.wait()
            group.cancel_scope.cancel()

    silent = Silent()
    pool = AsyncConnectionPool(AsyncMaker())
    anyio.run(main)
    assert silent.is_shut
    assert not pool.connections
