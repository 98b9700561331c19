"""Limits of what a client accepts from a server, and the errors that name them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Final

from runql.errors import TransportError, UnreadableValueError

MIB: Final = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a client accepts from a server at most; the defaults are beyond what an honest server sends::

        api = runql.Api(limits=runql.Limits(response_bytes=1 << 30))

    A response beyond a limit raises a `ResponseLimitError`, and is not requested again. A download to a file is limited
    by the size that the server announced for it.

    Attributes:
        response_bytes: bytes of a response as received, which may be compressed.
        decoded_bytes: bytes of a response after decompression.
        file_bytes: bytes of a file that is read in memory, such as a manifest, a table or a parquet file.
        row_bytes: bytes of the JSON of one history row.
        json_depth: how deeply arrays and objects are nested in JSON.
        redirects: how many redirects a download follows.
    """

    response_bytes: int = 128 * MIB
    decoded_bytes: int = 256 * MIB
    file_bytes: int = 1024 * MIB
    row_bytes: int = 64 * MIB
    json_depth: int = 1000
    redirects: int = 5

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError for a limit that is no positive int; no redirects is a limit, too."""
        for each in fields(self):
            value: object = getattr(self, each.name)
            least = 0 if each.name == "redirects" else 1
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{each.name} of Limits must be an int, not {type(value).__name__}")
            if value < least:
                raise ValueError(f"{each.name} of Limits must be {least} or more, not {value}")


DEFAULT_LIMITS: Final = Limits()
_current: Final[ContextVar[Limits]] = ContextVar("runql_limits", default=DEFAULT_LIMITS)


def current_limits() -> Limits:
    """Return the limits of the client whose flow runs; elsewhere the default ones."""
    return _current.get()


@contextmanager
def limited(limits: Limits) -> Generator[None]:
    """Let `current_limits` return these limits while the block runs."""
    before = _current.set(limits)
    try:
        yield
    finally:
        # A coroutine that nobody awaited to its end is closed in another context, which has values of its own.
        with suppress(ValueError):
            _current.reset(before)


_UNCHANGED: Final = nullcontext()


def limits_of_client(owner: object) -> AbstractContextManager[None]:
    """As `limited`, with the limits of the client that an object such as a run belongs to."""
    limits: object = getattr(getattr(owner, "_client", None), "limits", None)
    if isinstance(limits, Limits) and limits is not current_limits():
        return limited(limits)
    return _UNCHANGED


def checked_limits(limits: object) -> Limits:
    """Return the limits that a caller gave; None gives the default ones.

    Raises:
        TypeError: it is something else.
    """
    if limits is None:
        return DEFAULT_LIMITS
    if not isinstance(limits, Limits):
        raise TypeError(
            f"limits must be runql.Limits, such as Limits(json_depth=100), not {type(limits).__name__}"
        )
    return limits


class ResponseLimitError(TransportError):
    """A response is beyond one of the client's `Limits`; the message says how to raise the limit.

    Attributes:
        limit: the field of `Limits`, such as ``response_bytes``.
        most: its value.
    """

    def __init__(self, found: str, *, limit: str, most: int, operation: str = "", attempts: int = 1) -> None:
        self.limit = limit
        self.most = most
        super().__init__(
            f"{found}, and the limit {limit} is {most:,}: if the server is right, raise it by "
            f"Api(limits=Limits({limit}=...)) or api.with_options(limits=...)",
            operation=operation,
            attempts=attempts,
        )


class ResponseTooLargeError(ResponseLimitError):
    """A response has more bytes than `Limits` accepts, as received or after decompression."""


class RowTooLargeError(ResponseLimitError, UnreadableValueError):
    """A history row has more bytes than `Limits` accepts."""


class JSONTooDeepError(ResponseLimitError, UnreadableValueError):
    """Arrays and objects of a JSON value are nested more deeply than `Limits` accepts."""


class TooManyRedirectsError(ResponseLimitError):
    """A download was redirected more often than `Limits` accepts, such as in a circle."""
