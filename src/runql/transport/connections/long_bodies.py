"""Long bodies of a known length: read from the socket, past the parser of HTTP."""

# h11 looks at each byte of a body, and copies it five times on the way. It only has to count them: where the length is
# known, the rest of a body needs no parsing. The first bytes come from h11, which may have read some with the headers.
# Then the bytes that are left are read here and taken off its count. It finds the end of the body itself, or that the
# connection was closed before it.

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from runql.transport.deadlines.sockets import BoundedStream
from runql.transport.http_library import httpcore

PIECE: Final = "runql.piece"
"""Extension of a request: the `Piece` in which its response's body may arrive."""

LONG: Final = 1 << 15
"""Bytes that are left of a body, from which on this is worth it."""


class Piece(NamedTuple):
    """What may arrive of a body as one piece.

    Attributes:
        size: bytes at most. Memory for them is taken at once.
        seconds: after so many it ends: the caller reports progress, and what breaks off loses no more than that.
    """

    size: int
    seconds: float


WHOLE: Final = Piece(1 << 28, math.inf)
"""For a body that stays in memory."""

FOR_A_FILE: Final = Piece(1 << 20, 0.1)
"""For a body that is written to a file."""


class _Counter(Protocol):
    """h11's reader of a body with a length. No public name of h11 leads to what is left of it."""

    _remaining: int


def pieces_of(
    stream: Iterable[bytes], request: httpcore.Request, response: httpcore.Response
) -> Iterable[bytes]:
    """Return the pieces of a body; if it is long, the rest past the parser, in pieces as large as the request allows."""
    counter, network = _counter_of(stream), _extensions(response).get("network_stream")
    asked = _extensions(request)
    if counter is None or PIECE not in asked or not isinstance(network, BoundedStream) or not network.fills:
        return stream
    return _filled(stream, counter, network, asked.get("timeout", {}).get("read"), asked[PIECE])


def _filled(
    stream: Iterable[bytes], counter: _Counter, network: BoundedStream, timeout: float | None, most: Piece
) -> Iterator[bytes]:
    for first in stream:
        left = counter._remaining  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see `_Counter`
        if left < LONG:
            yield first
            continue
        size = len(first) + left
        arriving = _Arriving(first, left, network, timeout, most.seconds)
        # It asks for the memory of a piece once, and lets the socket write to it.
        reader = io.BufferedReader(arriving)
        while piece := reader.read(min(most.size, size)):
            size -= len(piece)
            counter._remaining = size  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see `_Counter`
            yield piece
            arriving.begin_piece()


def _extensions(message: object) -> Mapping[str, Any]:
    # httpcore declares a dict of unknown types.
    found: Mapping[str, Any] = getattr(message, "extensions", {})
    return found


class _Arriving(io.RawIOBase):
    """The bytes that are here, then those of the network, for a while; it ends where they do, or where the server closes."""

    def __init__(
        self, first: bytes, left: int, network: BoundedStream, timeout: float | None, seconds: float
    ) -> None:
        super().__init__()
        self._first = memoryview(first)
        self._left = left
        self._network = network
        self._timeout = timeout
        self._seconds = seconds
        self._until: float | None = None

    def begin_piece(self) -> None:
        """Let more bytes arrive."""
        self._until = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # it gets no other buffer
        if self._first:
            size = min(len(self._first), len(buffer))
            buffer[:size], self._first = self._first[:size], self._first[size:]
        # A piece without bytes would be the end, so the first read of each is never refused.
        elif not self._left or (self._until is not None and time.monotonic() >= self._until):
            return 0
        else:
            size = self._network.read_into(buffer[: self._left], self._timeout)
            self._left -= size
        self._until = self._until or time.monotonic() + self._seconds
        return size


def _counter_of(stream: object) -> _Counter | None:
    """What counts the bytes of a body; None where its length is unknown, and for HTTP/2."""
    # Any: no type knows these private names.
    found: Any = stream
    for name in ("_connection", "_h11_state", "_reader"):
        found = getattr(found, name, None)
    counter: _Counter | None = found if isinstance(getattr(found, "_remaining", None), int) else None
    return counter
