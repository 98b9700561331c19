"""Both drivers under one call, so that every test of a driver runs against each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, TypeVar

import anyio
import httpx
from pydantic import SecretStr
from tests.contract.both_clients import DoubleTransport
from tests.patience import PATIENCE

from runql.config import Settings
from runql.limits import Limits
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import Flow
from runql.transport.retry import RetryPolicy
from runql.transport.sync import RetryingClient
from runql.transport.wire import Traffic

T = TypeVar("T")
Face: TypeAlias = Literal["sync", "async"]
Answerer: TypeAlias = Callable[[httpx.Request], httpx.Response]

BASE_URL = "http://api.host"
KEY = "k" * 40
# A budget of its own: the delays alone would be one of 3 ms, which a slow machine spends within an attempt.
HASTY = RetryPolicy(max_attempts=3, first_delay=0.001, jitter=0, call_seconds=60.0)


class Drive(Protocol):
    """Run one flow by one of the drivers, on a client of its own."""

    def __call__(self, flow: Flow[T], *, traffic: Traffic | None = None) -> T: ...


def settings(base_url: str = BASE_URL, timeout: float = PATIENCE) -> Settings:
    return Settings(base_url, base_url, SecretStr(KEY), timeout=timeout, allow_insecure=True)


def driver(
    face: Face,
    answer: Answerer | None,
    at: Settings | None = None,
    retry: RetryPolicy = HASTY,
    transport: DoubleTransport | None = None,
    limits: Limits | None = None,
) -> Drive:
    """A driver whose requests ``answer`` answers in this process; over the network when it is None.

    ``traffic`` is filled with what the client counted.
    """
    where = at or settings()
    through = transport if answer is None else httpx.MockTransport(answer)

    def count(traffic: Traffic | None, counted: Traffic) -> None:
        if traffic is not None:
            traffic.requests += counted.requests
            traffic.bytes_sent += counted.bytes_sent
            traffic.bytes_received += counted.bytes_received

    def run_sync(flow: Flow[T], *, traffic: Traffic | None = None) -> T:
        with RetryingClient(where, retry=retry, transport=through, limits=limits) as client:
            try:
                return client.run(flow)
            finally:
                count(traffic, client.traffic)

    def run_async(flow: Flow[T], *, traffic: Traffic | None = None) -> T:
        async def run() -> T:
            async with AsyncRetryingClient(where, retry=retry, transport=through, limits=limits) as client:
                try:
                    return await client.run(flow)
                finally:
                    count(traffic, client.traffic)

        return anyio.run(run)

    return run_sync if face == "sync" else run_async
