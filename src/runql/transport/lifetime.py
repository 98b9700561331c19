"""Where a client's connections end: at a fork, which must not share them, and at the client's own end."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Final, NoReturn, Protocol
from weakref import WeakSet

import httpx

from runql.errors import ClientClosedError, UnshareableError

# A forked child inherits its parent's sockets. Two processes that read from one socket get each other's responses, and a
# child that closes a connection properly ends it for its parent. So a child forgets what it inherited: it keeps the
# objects alive, so that nothing closes them, and never uses them again. Locks may be held by threads that the child does
# not have, so they are replaced.


class Forkable(Protocol):
    """What has something that a forked child must not share with its parent."""

    def disown(self) -> object:
        """Replace it, in the child, and return what was there; the child keeps that without using it."""
        ...


_forkables: Final[WeakSet[Forkable]] = WeakSet()
_inherited: Final[list[object]] = []


def disown_in_children(forkable: Forkable) -> None:
    """Have `Forkable.disown` called in each forked child, before anything else runs there; holds no reference."""
    _forkables.add(forkable)


def _disown_all() -> None:
    _inherited.extend([forkable.disown() for forkable in list(_forkables)])


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_disown_all)


class ForkSafeLock:
    """A `threading.Lock` that is free in a forked child, whoever held it in the parent."""

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


def holds_connections(transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None) -> bool:
    """Whether a transport of the caller's may hold connections; those of httpx that answer in this process do not."""
    in_process = (httpx.MockTransport, httpx.WSGITransport, httpx.ASGITransport)
    return transport is not None and not isinstance(transport, in_process)


def raise_closed() -> NoReturn:
    """Refuse a request of a client that is closed."""
    raise ClientClosedError(
        "this client is closed: make a new Api, or do the work inside of its `with` block, before close()"
    )


def raise_other_process() -> NoReturn:
    """Refuse a request in a forked child when the transport is the caller's, and cannot be made anew."""
    raise UnshareableError(
        "this Api has a transport= of its own, whose connections belong to the process that it was forked from: "
        "make an Api with a new transport in each process"
    )


def raise_other_loop() -> NoReturn:
    """Refuse a request in another event loop when the transport is the caller's, and cannot be made anew."""
    raise UnshareableError(
        "this AsyncApi has a transport= of its own, whose connections belong to the event loop that it was first "
        "used in: make an AsyncApi with a new transport in each event loop"
    )


def raise_not_pickled(kind: str) -> NoReturn:
    """Refuse to pickle what holds the API key and connections."""
    raise UnshareableError(
        f"{kind} cannot be pickled or copied, nor can runs, lists and files that came from one: they hold "
        "connections and the API key. Make an Api in each process, and send it paths such as 'entity/project/id'"
    )
