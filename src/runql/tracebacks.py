"""Tracebacks without the frames whose variables may hold the API key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import FrameType, TracebackType
from typing import Final, ParamSpec, TypeGuard, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Redact = Callable[[str], str]

# These handle requests as they are sent, with all headers. The standard library has asyncio, ssl and socket. An application
# may put httpx2 in the place of httpx.
_LIBRARIES: Final = frozenset(
    {
        *("httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "hpack"),
        *("anyio", "trio", "outcome", "socksio"),
    }
)
# The drivers hold pieces of responses, which may repeat the key.
_DRIVERS: Final = frozenset(
    {
        "runql.transport.aio",
        "runql.transport.connections.leftovers",
        "runql.transport.connections.long_bodies",
        "runql.transport.connections.pool",
        "runql.transport.deadlines.call",
        "runql.transport.limits.body",
        "runql.transport.limits.decoding",
        "runql.transport.sync",
    }
)
_REQUEST: Final = "_request"
"""The attribute in which httpx's errors hold the request, with its URL and headers."""


class FramesHidden:
    """Cut the frames of HTTP libraries out of every error that leaves the ``with`` block.

    Tools that show local variables, such as rich and Sentry, would show the headers there. The errors stay chained, with
    the frames of runql and of a transport that the caller wrote. They lose httpx's request. An error that the caller was
    handling already stays as it is.
    """

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._handled: BaseException | None = None

    def __enter__(self) -> None:
        self._handled = sys.exception()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        for each in chained(error, self._handled):
            each.__traceback__ = _visible(each.__traceback__, _is_hidden)
            if _REQUEST in vars(each):
                vars(each)[_REQUEST] = None
            redact_error(each, self._redact)


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Raise a function's errors without its frames, which hold API keys, and without errors that quote files."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        handled = sys.exception()
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs  # this frame stays in the traceback
            for each in chained(error, handled):
                each.__traceback__ = None
                if each.__suppress_context__ and each.__context__ is not handled:
                    each.__context__ = None
            raise

    return call


def chained(error: BaseException, known: BaseException | None = None) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from, or while handling; not ``known`` and what is behind it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or each is known or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if _is_group(each):
            waiting += each.exceptions


def redact_error(error: BaseException, redact: Redact) -> None:
    """Blank the API key in what an error says, and cut the drivers' frames: servers may repeat the key."""
    error.__traceback__ = _visible(error.__traceback__, _is_drivers)
    error.args = tuple(_redacted(each, redact) for each in error.args)
    for name, value in vars(error).items():
        # Dicts lie in attributes only: a list of them is rows, which are the caller's data.
        vars(error)[name] = _redacted_dict(value, redact) if _is_dict(value) else _redacted(value, redact)


def _redacted(value: object, redact: Redact) -> object:
    if type(value) is str:
        return redact(value)
    if _is_list(value):
        return [_redacted(each, redact) for each in value]
    if _is_tuple(value):
        return tuple(_redacted(each, redact) for each in value)
    return value


def _redacted_dict(values: dict[object, object], redact: Redact) -> dict[object, object]:
    return {_redacted(name, redact): _redacted(value, redact) for name, value in values.items()}


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _is_dict(value: object) -> TypeGuard[dict[object, object]]:
    return type(value) is dict


def _is_list(value: object) -> TypeGuard[list[object]]:
    return type(value) is list


def _is_tuple(value: object) -> TypeGuard[tuple[object, ...]]:
    return type(value) is tuple


def _visible(trace: TracebackType | None, is_hidden: Callable[[FrameType], bool]) -> TracebackType | None:
    shown: list[TracebackType] = []
    while trace is not None:
        if not is_hidden(trace.tb_frame):
            shown.append(trace)
        trace = trace.tb_next
    result: TracebackType | None = None
    for each in reversed(shown):
        result = TracebackType(result, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return result


def _is_drivers(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") in _DRIVERS


def _is_hidden(frame: FrameType) -> bool:
    library = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return _is_drivers(frame) or library in _LIBRARIES or library in sys.stdlib_module_names
