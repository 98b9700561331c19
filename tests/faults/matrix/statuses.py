"""Faults by status: refusals, overload, failures, redirects, expired URLs and pages of other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from tests.faults.matrix.faults import (
    OPERATIONS,
    STORAGE,
    UNREADABLE,
    Errors,
    Fault,
    at,
)
from tests.faults.matrix.front import Exchange, Given

from runql import AccessDeniedError, AuthenticationError, RateLimitedError, ServerFailureError

HTML: Final = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
XML: Final = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code>"
    b"<Message>Please reduce your request rate.</Message></Error>"
)
GRAPHQL: Final = json.dumps({"errors": [{"message": "the database is away"}], "data": None}).encode()
_JSON: Final = (("Content-Type", "application/json"),)
_HTML: Final = (("Content-Type", "text/html"),)


def _status(
    status: int, body: bytes = HTML, headers: Callable[[], tuple[tuple[str, str], ...]] = lambda: _HTML
) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        exchange.respond(Given(status, headers(), body))

    return apply


def _after(status: int) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        exchange.forward()
        exchange.respond(Given(status, _HTML, HTML))

    return apply


def _early(status: int) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        exchange.send(Given(status, _HTML, HTML).whole(("Connection", "close")))
        exchange.close()

    return apply


def _dated(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def _failures() -> Iterator[Fault]:
    family = "failures of the server"
    errors: Errors = (ServerFailureError,)
    for status in (408, 500, 502, 503, 504):
        fault = Fault(f"{status}", family, _status(status), recovers=True, errors=errors)
        yield from at(fault, "once", "second", "for ever")
    for status in (500, 503):
        fault = Fault(
            f"{status} with GraphQL errors", family, _status(status, GRAPHQL), recovers=True, errors=errors
        )
        yield from at(fault, "once", "for ever")
    fault = Fault("502 after the request was carried out", family, _after(502), recovers=True, errors=errors)
    yield from at(fault, "once", "for ever")
    yield from at(
        Fault("503 with an empty body", family, _status(503, b""), recovers=True, errors=errors),
        "twice",
        "for ever",
    )
    yield from at(Fault("501", family, _status(501), errors=errors, attempts=1), "once", "for ever")
    yield from at(
        Fault(
            "503 with Retry-After in an hour",
            family,
            _status(503, HTML, lambda: (("Retry-After", "3600"),)),
            errors=errors,
        ),
        "once",
    )


def _refusals() -> Iterator[Fault]:
    family = "refusals"
    for status, errors in ((401, (AuthenticationError,)), (403, (AccessDeniedError,))):
        fault = Fault(f"{status}", family, _status(status), errors=errors, kinds=OPERATIONS, attempts=1)
        yield from at(fault, "once", "for ever")
    for status in (400, 404, 405, 409, 410, 413, 418, 422, 451):
        yield from at(Fault(f"{status}", family, _status(status), errors=UNREADABLE), "once")
    for status in (409, 413):
        yield from at(Fault(f"{status}", family, _status(status), errors=UNREADABLE), "for ever")
    yield from at(
        Fault("425", family, _status(425), recovers=True, errors=UNREADABLE, answered=True),
        "once",
        "for ever",
    )
    yield from at(
        Fault("413 before the body is read", family, _early(413), errors=UNREADABLE, early=True), "once"
    )
    yield from at(Fault("407", family, _status(407), errors=UNREADABLE, attempts=1), "once", "for ever")


def _overload() -> Iterator[Fault]:
    family = "overload"
    asks: dict[str, Callable[[], tuple[tuple[str, str], ...]]] = {
        "without a wait": lambda: (),
        "Retry-After in seconds": lambda: (("Retry-After", "0.03"),),
        "Retry-After as a date": lambda: (("Retry-After", _dated(0)), ("Date", _dated(0))),
        "Retry-After in the past": lambda: (("Retry-After", "Mon, 01 Jan 1990 00:00:00 GMT"),),
        "RateLimit-Reset": lambda: (("RateLimit-Remaining", "0"), ("RateLimit-Reset", "0.03")),
        "nonsense": lambda: (
            ("Retry-After", "soon"),
            ("RateLimit-Reset", "-\x7f"),
            ("RateLimit-Remaining", "nan"),
        ),
        "infinite": lambda: (("Retry-After", "inf"), ("RateLimit-Reset", "1e999")),
        "of a clock in 2100": lambda: (
            ("Date", "Fri, 01 Jan 2100 00:00:00 GMT"),
            ("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ),
    }
    for name, headers in asks.items():
        fault = Fault(
            f"429 {name}",
            family,
            _status(429, b"slow down", headers),
            recovers=name != "infinite",
            errors=(RateLimitedError,),
            answered=True,
        )
        yield from at(fault, "once", "for ever")
    hour = Fault(
        "429 Retry-After in an hour",
        family,
        _status(429, b"", lambda: (("Retry-After", "3600"),)),
        errors=(RateLimitedError,),
        answered=True,
        attempts=1,
    )
    yield from at(hour, "once", "for ever")


def _pages() -> Iterator[Fault]:
    family = "pages of other programs"
    for name, body in {"a page of HTML": HTML, "an error page of a storage": XML, "nothing": b""}.items():
        fault = Fault(f"200 with {name}", family, _status(200, body), errors=UNREADABLE, kinds=OPERATIONS)
        yield from at(fault, "once", "for ever")


def _redirects() -> Iterator[Fault]:
    family = "redirects"

    def elsewhere(status: int) -> Callable[[Exchange], object]:
        def apply(exchange: Exchange) -> None:
            place = exchange.front.elsewhere + exchange.received.path
            exchange.respond(Given(status, (("Location", place),), b""))

        return apply

    def circle(exchange: Exchange) -> None:
        exchange.respond(Given(302, (("Location", exchange.received.path),), b""))

    def to(location: str) -> Callable[[Exchange], object]:
        def apply(exchange: Exchange) -> None:
            exchange.respond(Given(302, (("Location", location),), b""))

        return apply

    for status in (301, 302, 303, 307, 308):
        yield from at(Fault(f"{status} elsewhere", family, elsewhere(status), errors=UNREADABLE), "for ever")
    yield from at(
        Fault("302 elsewhere, of a file", family, elsewhere(302), recovers=True, kinds=STORAGE), "once"
    )
    yield from at(Fault("302 in a circle", family, circle, errors=UNREADABLE), "for ever")
    yield from at(Fault("302 to itself, of a file", family, circle, recovers=True, kinds=STORAGE), "once")
    for location in (
        "http://[::1",
        "file:///etc/passwd",
        "http://runql-nowhere.invalid/",
        "",
        "\xff\xfe",
        "//",
    ):
        yield from at(Fault(f"302 to {location!r}", family, to(location), errors=UNREADABLE), "for ever")
    bare = Fault("302 without a place", family, _status(302, b"", lambda: ()), errors=UNREADABLE)
    yield from at(bare, "for ever")


def _storage() -> Iterator[Fault]:
    family = "storage"
    for status in (400, 403):
        expired = Fault(
            f"URL expired ({status})",
            family,
            _status(status, XML),
            recovers=True,
            kinds=STORAGE,
            errors=UNREADABLE,
        )
        yield from at(expired, "once", "for ever")
    gone = Fault("file not there (404)", family, _status(404, XML), kinds=STORAGE, errors=UNREADABLE)
    yield from at(gone, "once", "for ever")
    slow = Fault(
        "storage asks to slow down (503)",
        family,
        _status(503, XML),
        recovers=True,
        kinds=STORAGE,
        errors=UNREADABLE,
    )
    yield from at(slow, "once", "for ever")
    for name, body in {"HTML": HTML, "XML": XML, "nothing": b""}.items():
        page = Fault(
            f"file with a page instead ({name})", family, _status(200, body), kinds=STORAGE, errors=UNREADABLE
        )
        yield from at(page, "once", "for ever")
    for status in (204, 206, 304, 416):
        other = Fault(
            f"file with status {status}", family, _status(status, b""), kinds=STORAGE, errors=UNREADABLE
        )
        yield from at(other, "once", "for ever")

    def flipped(exchange: Exchange) -> object:
        given = exchange.forward()
        if not given.body:
            return False
        exchange.respond(Given(given.status, given.headers, bytes([given.body[0] ^ 1]) + given.body[1:]))
        return None

    yield from at(
        Fault("file with another byte", family, flipped, kinds=STORAGE, errors=UNREADABLE), "once", "for ever"
    )


def status_faults() -> list[Fault]:
    """Return all of them."""
    return [*_failures(), *_refusals(), *_overload(), *_pages(), *_redirects(), *_storage()]
