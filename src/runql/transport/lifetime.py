"""Rules for a client's connections at a fork, in another event loop, when it is pickled, and when it is closed."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Final, NoReturn, Protocol, TypeVar
from weakref import WeakSet

from runql.errors import ClientClosedError, UnshareableError
from runql.transport.http_library import httpx

# A forked child inherits its parent's sockets. Two processes that read from one socket get each other's responses, and
# closing a connection in the child ends it for the parent. So the child keeps the inherited objects alive, unused and
# unclosed, and makes new ones. It replaces locks as well: a thread that the child does not have may hold them.


class Forkable(Protocol):
    """An object with state that a forked child must not share with its parent."""

    def disown(self) -> object:
        """Replace that state, in the child, and return the old state, which the child keeps and never uses."""
        ...


_SUCCESSOR: Final = "httpx2"

_forkables: Final[WeakSet[Forkable]] = WeakSet()
_inherited: Final[list[object]] = []


def disown_in_children(forkable: Forkable) -> None:
    """Call `Forkable.disown` in each forked child, before anything else runs there; this holds no reference."""
    _forkables.add(forkable)


def _disown_all() -> None:
    _inherited.extend([forkable.disown() for forkable in list(_forkables)])


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_disown_all)


class ForkSafeLock:
    """A `threading.Lock` that is free in a forked child, even if a thread of the parent holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        disown_in_children(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def disown(self) -> object:
        """See `Forkable`."""
        inherited, self._lock = self._lock, threading.Lock()
        return inherited

    def __reduce__(self) -> tuple[type[ForkSafeLock], tuple[()]]:
        return ForkSafeLock, ()


_Transport = TypeVar("_Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)


def checked_transport(transport: object, kind: type[_Transport]) -> _Transport | None:
    """Return a caller's transport.

    Raises:
        TypeError: it is not of the kind that the client needs.
    """
    if transport is None or isinstance(transport, kind):
        return transport
    given, needed = type(transport), f"{kind.__module__}.{kind.__qualname__}"
    message = f"transport is of {given.__module__}.{given.__qualname__}, which is no {needed}"
    if issubclass(given, (httpx.BaseTransport, httpx.AsyncBaseTransport)):
        raise TypeError(f"{message}: Api takes an httpx.BaseTransport, AsyncApi an httpx.AsyncBaseTransport")
    if any(each.__module__.partition(".")[0] == _SUCCESSOR for each in given.__mro__):
        raise TypeError(
            f"{message}: give a transport of httpx. An application that uses httpx2 alone calls httpx2.alias_httpx() "
            "before anything imports httpx"
        )
    raise TypeError(f"{message}: derive its class from {needed}, or leave transport out")


def holds_connections(transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None) -> bool:
    """Whether a caller's transport may hold connections; httpx's in-process transports do not."""
    in_process = (httpx.MockTransport, httpx.WSGITransport, httpx.ASGITransport)
    return transport is not None and not isinstance(transport, in_process)


def raise_closed() -> NoReturn:
    """Refuse a request of a closed client."""
    raise ClientClosedError(
        "this client is closed: make a new Api, or do the work inside its `with` block, before close()"
    )


def raise_other_process() -> NoReturn:
    """Refuse a request in a forked child whose transport came from the caller, as runql cannot make another."""
    raise UnshareableError(
        "this Api was made with transport=, whose connections belong to the parent process: "
        "make an Api with a new transport in each process"
    )


def raise_other_loop() -> NoReturn:
    """Refuse a request in another event loop when the transport came from the caller, as runql cannot make another."""
    raise UnshareableError(
        "this AsyncApi was made with transport=, whose connections belong to the event loop that used it first: "
        "make an AsyncApi with a new transport in each event loop"
    )


def raise_not_pickled(kind: str, instead: str) -> NoReturn:
    """Refuse to pickle or copy an object that belongs to its process, and say what to send instead."""
    raise UnshareableError(f"{kind} cannot be pickled or copied: {instead}")
