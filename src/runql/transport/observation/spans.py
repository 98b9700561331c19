"""Spans of OpenTelemetry: one for each call, and below it one for each request."""

# runql never imports OpenTelemetry. An application that has set up tracing has imported it, and it is found among the
# loaded modules; for any other application a span would lead nowhere.

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from runql.escaping import MOST_IN_DETAIL, one_line
from runql.transport.deadlines.call import Call, one_call
from runql.transport.wire import Failure, Request, Response
from runql.version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider

_MODULE: Final = "opentelemetry.trace"
_THROUGH: Final = ("contextlib", "functools")
"""Modules whose frames stand between those of runql."""

Note: TypeAlias = Callable[[Response | Failure], Response | Failure]
"""Notes the outcome of a request in its span, and returns it."""

_tracers: Final[list[tuple[TracerProvider, Tracer]]] = []


def find_tracer() -> Tracer | None:
    """Return the tracer of the application's provider; None where it has set up none."""
    if _MODULE not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - loaded by the application already, see above

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    for known, tracer in _tracers:
        if known is provider:
            return tracer
    tracer = provider.get_tracer("runql", __version__)
    _tracers[:] = [(provider, tracer)]
    return tracer


def observed_call(owner: object, make: Callable[[], Call]) -> AbstractContextManager[Call]:
    """As `one_call`, with a span where the application traces."""
    tracer = find_tracer()
    return one_call(owner, make) if tracer is None else _traced_call(owner, make, tracer)


class _CallSpan:
    """The span of one call, which begins with the call and is made with its first request.

    Most steps of an iteration send nothing, and need no span.
    """

    def __init__(self, tracer: Tracer, name: str) -> None:
        from opentelemetry import context  # noqa: PLC0415 - as in `find_tracer`

        self._tracer = tracer
        self._name = name
        self._started = time.time_ns()
        self._outside = context.get_current()
        self._span: Span | None = None
        self._guard = threading.Lock()

    def around_request(self) -> Context:
        """Return the context for a request; threads of the call may ask for it at the same time."""
        from opentelemetry import trace  # noqa: PLC0415 - as in `find_tracer`

        with self._guard:
            if self._span is None:
                self._span = self._tracer.start_span(
                    self._name, context=self._outside, start_time=self._started
                )
            return trace.set_span_in_context(self._span)

    def end(self, error: BaseException | None = None) -> None:
        """End the span, if it was made."""
        with self._guard:
            if self._span is None:
                return
            if error is not None:
                _note_error(self._span, error)
            self._span.end()


_current: Final[ContextVar[_CallSpan | None]] = ContextVar("runql span of the call", default=None)


@contextmanager
def _traced_call(owner: object, make: Callable[[], Call], tracer: Tracer) -> Generator[Call]:
    made: list[Call] = []

    def make_noted() -> Call:
        made.append(make())
        return made[-1]

    with one_call(owner, make_noted) as call:
        if not made:
            yield call
            return
        span = _CallSpan(tracer, public_caller())
        before = _current.set(span)
        try:
            yield call
        except BaseException as error:
            span.end(error)
            raise
        else:
            span.end()
        finally:
            # As in `limits.limited`.
            with suppress(ValueError):
                _current.reset(before)


def request_span(request: Request, resends: int) -> AbstractContextManager[Note]:
    """Return a context for one request that notes its outcome; it does nothing where the application does not trace."""
    tracer = find_tracer()
    return nullcontext(_unchanged) if tracer is None else _traced_request(request, resends, tracer)


@contextmanager
def _traced_request(request: Request, resends: int, tracer: Tracer) -> Generator[Note]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - as in `find_tracer`

    name = f"{request.method} {request.name}" if request.is_operation else request.method
    call = _current.get()
    with tracer.start_as_current_span(
        name,
        context=None if call is None else call.around_request(),
        kind=SpanKind.CLIENT,
        attributes=_request_attributes(request, resends),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:

        def note(outcome: Response | Failure) -> Response | Failure:
            if isinstance(outcome, Failure):
                _note_error(span, outcome.error)
            else:
                _note_response(span, outcome)
            return outcome

        try:
            yield note
        except BaseException as error:
            _note_error(span, error)
            raise


def public_caller() -> str:
    """Return the method that code outside runql called, such as ``Api.run``."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — documented, and far cheaper than `inspect.stack`
    outermost: FrameType | None = None
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("runql."):
            outermost = frame
        elif module not in _THROUGH:
            break
        frame = frame.f_back
    return "runql" if outermost is None else _name_of(outermost)


def _name_of(frame: FrameType) -> str:
    variables = frame.f_locals
    # `counts_as_one_call` wraps methods, and begins the call before it calls them.
    wrapped: object = variables.get("method")
    name = str(getattr(wrapped, "__name__", frame.f_code.co_name))
    return f"{type(variables['self']).__name__}.{name}" if "self" in variables else name


def _request_attributes(request: Request, resends: int) -> dict[str, str | int]:
    parts = urlsplit(request.url)
    attributes: dict[str, str | int] = {
        "http.request.method": request.method,
        "server.address": parts.hostname or "",
        "url.scheme": parts.scheme,
        "http.request.body.size": request.size,
    }
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    if port is not None:
        attributes["server.port"] = port
    if request.is_operation:
        attributes["graphql.operation.name"] = request.name
    if resends:
        attributes["http.request.resend_count"] = resends
    return attributes


def _note_response(span: Span, response: Response) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - as in `find_tracer`

    span.set_attribute("http.response.status_code", response.status)
    span.set_attribute("http.response.body.size", response.received)
    if response.status >= 400:
        span.set_attribute("error.type", str(response.status))
        span.set_status(StatusCode.ERROR)


def _note_error(span: Span, error: BaseException) -> None:
    """Note the class of an error and its message, without a traceback: its lines could show more than the message."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - as in `find_tracer`

    kind = type(error).__name__
    message = one_line(str(error), MOST_IN_DETAIL)
    span.set_attribute("error.type", kind)
    span.add_event("exception", {"exception.type": kind, "exception.message": message})
    span.set_status(StatusCode.ERROR, message)


def _unchanged(outcome: Response | Failure) -> Response | Failure:
    return outcome
