"""What a run needs of the entry point that creates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runql.postponed import postponed
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(postponed("AsyncRetryingClient"))


class ApiConnection(Protocol):
    """What `Run.create` needs of an `Api`."""

    @property
    def client(self) -> RetryingClient: ...

    @property
    def default_entity(self) -> str | None: ...


class AsyncApiConnection(Protocol):
    """What `AsyncRun.create` needs of an `AsyncApi`."""

    @property
    def client(self) -> AsyncRetryingClient: ...

    @property
    async def default_entity(self) -> str | None: ...
