"""Several concurrent readers of the same object, held at a barrier until all have arrived."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, TypeAlias

import anyio
import anyio.to_thread
import httpx
from tests.contract.both_clients import PassingTransport
from tests.contract.untyped import Untyped

from runql import Api, AsyncApi

Way: TypeAlias = Literal["threads", "asyncio", "trio"]
WAYS: Final[tuple[Way, ...]] = ("threads", "asyncio", "trio")


class BarrierTransport(PassingTransport):
    """Holds requests until `readers` readers have arrived; ``asked`` names the sent operations."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.readers = 0
        self._lock = threading.Lock()
        self._all_there = threading.Event()

    def expect(self, readers: int) -> None:
        """Hold new requests until ``readers`` readers have arrived, and clear ``asked``."""
        self.asked.clear()
        self.readers = readers
        self._all_there.clear()

    def come(self) -> None:
        """Count an arrived reader."""
        with self._lock:
            self.readers -= 1
            if self.readers <= 0:
                self._all_there.set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._all_there.wait()
        self._note(request)
        return super().handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.to_thread.run_sync(self._all_there.wait)
        self._note(request)
        return await super().handle_async_request(request)

    def _note(self, request: httpx.Request) -> None:
        if request.method != "POST":
            self.asked.append(request.method)
            return
        body: dict[str, Any] = json.loads(request.content)  # Any: JSON
        self.asked.append(str(body["operationName"]))


Steps: TypeAlias = Sequence[Callable[[Untyped], Untyped]]
Read: TypeAlias = Callable[[Untyped, int], Untyped]


def read_together(
    way: Way, url: str, key: str, steps: Steps, read: Read, readers: int
) -> tuple[list[Untyped], list[str]]:
    """Follow the steps from the `Api`, let ``readers`` readers read there together, and return results and operations.

    Steps and readers of the async client may return awaitables. A list from a reader is read to its end.
    """
    barrier = BarrierTransport()
    if way == "threads":
        return _in_threads(barrier, url, key, steps, read, readers), barrier.asked

    async def main() -> list[Untyped]:
        return await _in_tasks(barrier, url, key, steps, read, readers)

    return anyio.run(main, backend=way), barrier.asked


def _in_threads(
    barrier: BarrierTransport, url: str, key: str, steps: Steps, read: Read, readers: int
) -> list[Untyped]:
    barrier.come()
    with Api(base_url=url, api_key=key, transport=barrier) as api:
        subject: Untyped = api
        for step in steps:
            subject = step(subject)
        barrier.expect(readers)

        def one(number: int) -> Untyped:
            barrier.come()
            return _settled(read(subject, number))

        with ThreadPoolExecutor(readers) as pool:
            return list(pool.map(one, range(readers)))


async def _in_tasks(
    barrier: BarrierTransport, url: str, key: str, steps: Steps, read: Read, readers: int
) -> list[Untyped]:
    barrier.come()
    async with AsyncApi(base_url=url, api_key=key, transport=barrier) as api:
        subject: Untyped = api
        for step in steps:
            subject = step(subject)
            subject = await subject if hasattr(subject, "__await__") else subject
        barrier.expect(readers)
        results: dict[int, Untyped] = {}

        async def one(number: int) -> None:
            barrier.come()
            results[number] = await _awaited(read(subject, number))

        async with anyio.create_task_group() as group:
            for number in range(readers):
                group.start_soon(one, number)
        return [results[number] for number in range(readers)]


def _settled(given: Untyped) -> Untyped:
    # Through `iter`, because `list` requests the length first.
    return list(iter(given)) if hasattr(given, "__iter__") and hasattr(given, "cursor") else given


async def _awaited(given: Untyped) -> Untyped:
    if hasattr(given, "__aiter__"):
        return [each async for each in given]
    return await given if hasattr(given, "__await__") else given
