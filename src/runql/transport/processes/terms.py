"""What a client takes along to another process: where and how it sends requests, never the API key."""

from __future__ import annotations

from typing import Any, Final, NoReturn, Protocol, Self, TypeVar

from runql.config import Settings, fields_without_key, settings_of_this_process
from runql.errors import UnshareableError
from runql.limits import Limits
from runql.partial_results import OnPartial
from runql.quick_dataclasses import dataclass
from runql.transport.lifetime import ForkSafeLock
from runql.transport.retry import RetryPolicy

MOST_CLIENTS: Final = 16
"""Clients that a process keeps for what it unpickles; the one that was used least recently goes first."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The options of a client.

    Attributes:
        settings: those of the connection without the key, as pairs.
        retry: the policy; another process draws random numbers of its own.
        deadline: seconds a call.
        limits: what is accepted at most.
        partial: whether results may lack parts.
        share: part of the server's rate limit.
    """

    settings: tuple[tuple[str, object], ...]
    retry: RetryPolicy
    deadline: float | None
    limits: Limits
    partial: OnPartial
    share: float


class Client(Protocol):
    """A client of either kind."""

    def __init__(
        self,
        settings: Settings,
        *,
        retry: int | RetryPolicy | None = None,
        deadline: float | None = None,
        limits: Limits | None = None,
        partial: OnPartial = "raise",
        share: float = 1.0,
    ) -> None: ...

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        ...

    def with_options(self) -> Self:
        """Return a copy that uses the same connections."""
        ...


C = TypeVar("C", bound=Client)

_clients: Final[dict[object, Any]] = {}  # Any: of both kinds
_guard: Final = ForkSafeLock()


def terms_of(
    settings: Settings,
    retry: RetryPolicy,
    deadline: float | None,
    limits: Limits,
    partial: OnPartial,
    share: float,
    transport: object,
) -> Terms:
    """Return what travels.

    Raises:
        UnshareableError: the caller gave a transport, which only this process has.
    """
    if transport is not None:
        _raise_own_transport()
    return Terms(tuple(fields_without_key(settings).items()), retry, deadline, limits, partial, share)


def joined(kind: type[C], terms: Terms) -> C:
    """Return a client for what was unpickled. Clients with the same terms share connections and the rate limit.

    The key is resolved as `Api` does. Without one the client is made all the same, and requests raise
    `MissingCredentialsError`, unless `with_key` gives it one.
    """
    settings = settings_of_this_process(dict(terms.settings))
    at = (kind, settings, terms)
    with _guard:
        known: C | None = _clients.pop(at, None)
        if known is None or known.is_closed:
            known = kind(
                settings,
                retry=terms.retry,
                deadline=terms.deadline,
                limits=terms.limits,
                partial=terms.partial,
                share=terms.share,
            )
        _clients[at] = known
        while len(_clients) > MOST_CLIENTS:
            # Its connections close when the last object that uses them is gone.
            del _clients[next(iter(_clients))]
    return known.with_options()


def _raise_own_transport() -> NoReturn:
    raise UnshareableError(
        "what came from an Api with transport= cannot be pickled: the transport belongs to this process. Leave "
        "transport out, or make an Api with a transport in each process, and send it paths such as 'entity/project/id'"
    )
