"""Runs one test on both clients: `Face.take` returns a sync result, and awaits an async one."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Literal, TypeAlias, TypeGuard, TypeVar, overload

import httpx
from anyio.from_thread import BlockingPortal
from tests.patience import PATIENCE

from runql import (
    Api,
    AsyncApi,
    AsyncFile,
    AsyncFiles,
    AsyncRetryingClient,
    AsyncRun,
    AsyncRuns,
    File,
    Files,
    JSONValue,
    RetryingClient,
    RetryPolicy,
    Run,
    Runs,
    Settings,
)
from runql.config import resolve_settings

FaceName = Literal["sync", "async"]
AnyApi: TypeAlias = Api | AsyncApi
AnyRun: TypeAlias = Run | AsyncRun
AnyRuns: TypeAlias = Runs | AsyncRuns
AnyFile: TypeAlias = File | AsyncFile
AnyFiles: TypeAlias = Files | AsyncFiles
AnyClient: TypeAlias = RetryingClient | AsyncRetryingClient
Row: TypeAlias = dict[str, JSONValue]
T = TypeVar("T")

NO_PATIENCE = RetryPolicy(max_attempts=1)


class DoubleTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport for the sync client and the async client."""


class PassingTransport(DoubleTransport):
    """Passes requests on to their hosts; a subclass looks at them first, or changes what comes back."""

    def __init__(self) -> None:
        self._direct = httpx.HTTPTransport()
        self._awaited = httpx.AsyncHTTPTransport()

    def before(self, request: httpx.Request) -> httpx.Request | httpx.Response:
        """Return the request to send, or a response in place of the host's."""
        return request

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        passed = self.before(request)
        return passed if isinstance(passed, httpx.Response) else self._direct.handle_request(passed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        passed = self.before(request)
        if isinstance(passed, httpx.Response):
            return passed
        return await self._awaited.handle_async_request(passed)

    def close(self) -> None:
        self._direct.close()

    async def aclose(self) -> None:
        await self._awaited.aclose()


class Face:
    """The sync client or the async client; the async one runs on an event loop in another thread.

    ``take`` returns the result of a call or property, ``items`` the items of an iteration.
    """

    def __init__(self, name: FaceName, portal: BlockingPortal) -> None:
        self.name: FaceName = name
        self._portal = portal
        self._opened: list[AnyApi | AnyClient] = []

    def api(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        overrides: dict[str, str | None] | None = None,
        timeout: float | None = None,
        transport: DoubleTransport | None = None,
    ) -> AnyApi:
        """Make an entry point, which is closed after the test."""
        make = Api if self.name == "sync" else AsyncApi
        api = make(overrides, timeout, api_key, base_url=base_url, allow_insecure=True, transport=transport)
        self._opened.append(api)
        return api

    def client(
        self,
        base_url: str,
        api_key: str,
        *,
        retry: RetryPolicy = NO_PATIENCE,
        timeout: float = PATIENCE,
        transport: DoubleTransport | None = None,
    ) -> AnyClient:
        """Make a client, by default without retries, for tests of failures."""
        settings = resolve_settings(
            base_url=base_url, api_key=api_key, timeout=timeout, environ={}, allow_insecure=True
        )
        client = self._connected(settings, retry, transport)
        self._opened.append(client)
        return client

    def _connected(
        self, settings: Settings, retry: RetryPolicy, transport: DoubleTransport | None
    ) -> AnyClient:
        make = RetryingClient if self.name == "sync" else AsyncRetryingClient
        return make(settings, retry=retry, transport=transport)

    def run(
        self,
        client: AnyClient,
        entity: str,
        project: str,
        run_id: str,
        attrs: Mapping[str, object] | None = None,
    ) -> AnyRun:
        """Construct a run; without ``attrs`` one request loads it."""
        if isinstance(client, RetryingClient):
            return Run(client, entity, project, run_id, attrs)
        run = AsyncRun(client, entity, project, run_id, attrs)
        if attrs is None:
            self.load(run)
        return run

    def runs(self, client: AnyClient, entity: str, project: str, *, per_page: int = 50) -> AnyRuns:
        """Construct a list of runs."""
        if isinstance(client, RetryingClient):
            return Runs(client, entity, project, per_page=per_page)
        return AsyncRuns(client, entity, project, per_page=per_page)

    @overload
    def take(self, answer: Run | Awaitable[AsyncRun]) -> AnyRun: ...
    @overload
    def take(self, answer: File | Awaitable[AsyncFile]) -> AnyFile: ...
    @overload
    def take(self, answer: Runs | Awaitable[AsyncRuns]) -> AnyRuns: ...
    @overload
    def take(self, answer: list[Run] | Awaitable[list[AsyncRun]]) -> list[Run] | list[AsyncRun]: ...
    @overload
    def take(self, answer: list[Row] | Awaitable[list[Row]]) -> list[Row]: ...
    @overload
    def take(self, answer: Row | None | Awaitable[Row | None]) -> Row | None: ...
    @overload
    def take(self, answer: T | Awaitable[T]) -> T: ...
    def take(self, answer: object) -> object:
        """Return a sync result, or await an async one."""
        return self._portal.call(_awaited, answer) if _is_awaitable(answer) else answer

    @overload
    def items(self, many: AnyRuns, limit: int | None = None) -> list[AnyRun]: ...
    @overload
    def items(self, many: AnyFiles, limit: int | None = None) -> list[AnyFile]: ...
    @overload
    def items(self, many: Iterable[T] | AsyncIterable[T], limit: int | None = None) -> list[T]: ...
    def items(
        self, many: Iterable[object] | AsyncIterable[object], limit: int | None = None
    ) -> Sequence[object]:
        """Iterate, to the end or to ``limit``."""
        if isinstance(many, Iterable):
            return list(islice(many, limit))
        return self._portal.call(_collected, many, limit)

    def load(self, run: AnyRun, *, force: bool = False) -> None:
        """Call `load`."""
        if isinstance(run, Run):
            run.load(force)
        else:
            self._portal.call(run.load, force)

    def wait(self, run: AnyRun, timeout: float | None) -> None:
        """Call `wait_until_finished`."""
        if isinstance(run, Run):
            run.wait_until_finished(timeout=timeout)
        else:
            self._portal.call(_awaited, run.wait_until_finished(timeout=timeout))

    def close(self) -> None:
        """Close all clients."""
        for opened in self._opened:
            if isinstance(opened, Api | RetryingClient):
                opened.close()
            else:
                self._portal.call(opened.close)


def _is_awaitable(answer: object) -> TypeGuard[Awaitable[object]]:
    return isinstance(answer, Awaitable)


async def _awaited(answer: Awaitable[T]) -> T:
    return await answer


async def _collected(many: AsyncIterable[T], limit: int | None) -> list[T]:
    items: list[T] = []
    if limit == 0:
        return items
    async for item in many:
        items.append(item)
        if len(items) == limit:
            break
    return items
