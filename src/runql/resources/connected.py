"""What `Run.create` needs of the entry point, so that runs need not know `Api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient


class Connected(Protocol):
    """An `Api`: a connection, and whose runs are meant by default."""

    @property
    def client(self) -> RetryingClient:
        """The connection."""
        ...

    @property
    def default_entity(self) -> str | None:
        """The entity when none is named."""
        ...


class AsyncConnected(Protocol):
    """As `Connected`, of an `AsyncApi`."""

    @property
    def client(self) -> AsyncRetryingClient:
        """As `Connected.client`."""
        ...

    @property
    async def default_entity(self) -> str | None:
        """As `Connected.default_entity`."""
        ...
