"""Faults of connections and of HTTP: breaks, truncation, lengths, encodings, protocol."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Final

from tests.faults.matrix.faults import BROKEN, UNREADABLE, Fault, at
from tests.faults.matrix.front import Exchange, Given

Cut = Callable[[bytes, int], int]

_CUTS: Final[dict[str, Cut]] = {
    "in the status line": lambda _raw, _start: 5,
    "after the status line": lambda raw, _start: raw.index(b"\r\n") + 2,
    "in a header": lambda raw, _start: raw.index(b"\r\n") + 8,
    "before the end of the headers": lambda _raw, start: start - 2,
    "before the body": lambda _raw, start: start,
    "after one byte of the body": lambda _raw, start: start + 1,
    "in the middle of the body": lambda raw, start: (start + len(raw)) // 2,
    "before the last byte": lambda raw, _start: len(raw) - 1,
}
_CHUNK_CUTS: Final[dict[str, Cut]] = {
    "in the first chunk size": lambda _raw, start: start + 1,
    "after the first chunk size": lambda raw, start: raw.index(b"\r\n", start) + 2,
    "in the second chunk": lambda raw, _start: len(raw) - 9,
    "before the final chunk": lambda raw, _start: len(raw) - 5,
    "in the final chunk": lambda raw, _start: len(raw) - 2,
}
_SILENCE: Final = 0.02
_MANY: Final = 3_000


def _reset(exchange: Exchange) -> None:
    exchange.reset()


def _reset_in_request(exchange: Exchange) -> None:
    exchange.read_more(max(1, exchange.received.length // 2))
    exchange.reset()


def _reset_in_response(exchange: Exchange) -> None:
    raw = exchange.forward().whole()
    exchange.send(raw[: -max(1, len(exchange.forward().body) // 2)])
    exchange.reset()


def _reset_after(exchange: Exchange) -> None:
    exchange.respond(exchange.forward())
    exchange.reset()


def _lost(exchange: Exchange) -> None:
    exchange.forward()
    exchange.close()


def _cut(find: Cut, *, chunked: bool) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> object:
        given = exchange.forward()
        if len(given.body) < 4:
            return False
        raw = given.chunked() if chunked else given.whole()
        exchange.send(raw[: find(raw, raw.index(b"\r\n\r\n") + 4)])
        exchange.close()
        return None

    return apply


def _length(change: Callable[[int], tuple[str, ...]]) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> object:
        given = exchange.forward()
        if len(given.body) < 4:
            return False
        lengths = [("Content-Length", each) for each in change(len(given.body))]
        exchange.send(given.head(*lengths) + given.body)
        exchange.close()
        return None

    return apply


def _raw(make: Callable[[Given], bytes]) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        exchange.send(make(exchange.forward()))
        exchange.close()

    return apply


def _encoded(name: str, body: Callable[[bytes], bytes]) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        given = exchange.forward()
        changed = Given(given.status, (*given.headers, ("Content-Encoding", name)), body(given.body))
        exchange.respond(changed)

    return apply


def _typed(value: str) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        given = exchange.forward()
        headers = tuple(each for each in given.headers if each[0].lower() != "content-type")
        exchange.respond(Given(given.status, (*headers, ("Content-Type", value)), given.body))

    return apply


def _keep_alive_closed(exchange: Exchange) -> None:
    exchange.respond(exchange.forward())
    exchange.close()


def _drip(exchange: Exchange) -> None:
    raw = exchange.forward().whole()
    exchange.send(raw[:-1])
    # Headers and body are there; the last byte never is, and yet something always comes.
    exchange.hold()


def _drip_headers(exchange: Exchange) -> None:
    given = exchange.forward()
    exchange.send(given.head()[:-2])
    exchange.go_on(b"x-more: 1\r\n", _SILENCE, _MANY)


def _drip_body(exchange: Exchange) -> None:
    given = exchange.forward()
    exchange.send(given.head(("Content-Length", str(len(given.body) + _MANY))))
    exchange.go_on(b" ", _SILENCE, _MANY)


def _drip_chunks(exchange: Exchange) -> None:
    exchange.send(exchange.forward().head(("Transfer-Encoding", "chunked")))
    exchange.go_on(b"1\r\n \r\n", _SILENCE, _MANY)


def _endless(exchange: Exchange) -> None:
    exchange.send(exchange.forward().head(("Transfer-Encoding", "chunked")))
    piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    exchange.go_on(piece, _SILENCE / 4, _MANY)


def _endless_interim(exchange: Exchange) -> None:
    exchange.forward()
    exchange.go_on(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", _SILENCE, _MANY)


def _interim(status: str) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        exchange.respond(exchange.forward())

    return apply


def _hang(exchange: Exchange) -> None:
    exchange.hold()


def _hang_after(exchange: Exchange) -> None:
    exchange.forward()
    exchange.hold()


def _hang_in_head(exchange: Exchange) -> None:
    exchange.send(exchange.forward().head()[:20])
    exchange.hold()


def _breaks() -> Iterator[Fault]:
    family = "resets"
    early = {"before the body of the request": _reset, "in the body of the request": _reset_in_request}
    for name, apply in early.items():
        yield from at(
            Fault(f"reset {name}", family, apply, early=True, recovers=True, errors=BROKEN),
            "once",
            "second",
            "for ever",
        )
    late = {
        "before the response": _reset,
        "in the body of the response": _reset_in_response,
        "after the response": _reset_after,
    }
    for name, apply in late.items():
        yield from at(
            Fault(f"reset {name}", family, apply, recovers=True, errors=BROKEN), "once", "second", "for ever"
        )
    closed = Fault("closed without a response", family, _lost, recovers=True, errors=BROKEN)
    yield from at(closed, "once", "twice", "for ever")
    kept = Fault("keep-alive closed without notice", family, _keep_alive_closed, recovers=True, errors=BROKEN)
    yield from at(kept, "once", "for ever")


def _truncations() -> Iterator[Fault]:
    for chunked, cuts in ((False, _CUTS), (True, _CHUNK_CUTS)):
        # A part of a file is resumed, where the end of the file may be all that is left.
        errors = UNREADABLE if chunked else BROKEN
        for name, find in cuts.items():
            fault = Fault(
                f"cut {name}", "truncation", _cut(find, chunked=chunked), recovers=True, errors=errors
            )
            yield from at(fault, "once", "for ever")


def _lengths() -> Iterator[Fault]:
    family = "lengths and types"
    shapes: dict[str, Callable[[int], tuple[str, ...]]] = {
        "length too short": lambda size: (str(size // 2),),
        "length too long": lambda size: (str(size + 100),),
        "length negative": lambda _size: ("-5",),
        "length no number": lambda _size: ("many",),
        "two lengths": lambda size: (str(size), str(size + 7)),
        "length of 400 digits": lambda _size: ("9" * 400,),
    }
    for name, change in shapes.items():
        yield from at(Fault(name, family, _length(change), errors=UNREADABLE), "once", "for ever")
    for value in ("text/html", "application/octet-stream", "", "application/json; charset=utf-16", "\xff"):
        yield Fault(
            f"content type {value!r}", family, _typed(value), "for ever", recovers=True, errors=UNREADABLE
        )


def _encodings() -> Iterator[Fault]:
    family = "encodings"
    pack = gzip.compress
    broken: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "gzip that is none": ("gzip", lambda body: body or b"none"),
        "gzip cut": ("gzip", lambda body: pack(body)[:-9]),
        "gzip with a wrong checksum": ("gzip", lambda body: pack(body)[:-8] + b"\0" * 8),
        "deflate that is none": ("deflate", lambda body: body or b"none"),
    }
    for name, (encoding, body) in broken.items():
        yield from at(
            Fault(name, family, _encoded(encoding, body), errors=UNREADABLE, attempts=2), "once", "for ever"
        )
    fine: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "gzip": ("gzip", pack),
        "gzip twice": ("gzip, gzip", lambda body: pack(pack(body))),
        "an encoding that nobody knows": ("x-nothing", lambda body: body),
    }
    for name, (encoding, body) in fine.items():
        yield Fault(name, family, _encoded(encoding, body), "for ever", recovers=True, errors=UNREADABLE)


def _protocol() -> Iterator[Fault]:
    family = "protocol"
    fine: dict[str, Callable[[Given], bytes]] = {
        "HTTP/1.0": lambda given: given.head(version="HTTP/1.0") + given.body,
        "no length and no chunks": lambda given: given.head() + given.body,
        "chunked": lambda given: given.chunked(),
        "no reason phrase": lambda given: given.whole().replace(b" Reason", b"", 1),
    }
    for name, make in fine.items():
        yield from at(Fault(name, family, _raw(make), recovers=True), "once")
    yield from at(Fault("HTTP/1.0 and", family, _raw(fine["HTTP/1.0"])), "for ever")
    for status in ("100 Continue", "103 Early Hints"):
        yield Fault(f"an interim response {status}", family, _interim(status), "for ever", recovers=True)
    broken: dict[str, Callable[[Given], bytes]] = {
        "HTTP/9.9": lambda given: given.head(version="HTTP/9.9") + given.body,
        "no HTTP at all": lambda _given: b"SSH-2.0-OpenSSH_9.6\r\n",
        "bytes of TLS": lambda _given: b"\x15\x03\x03\x00\x02\x02\x46",
        "a header of 200 kB": lambda given: given.whole(("X-Long", "x" * 200_000)),
        "10,000 headers": lambda given: given.whole(*(("X-Many", "x") for _ in range(10_000))),
        "a header without a colon": lambda given: given.whole().replace(b"\r\n", b"\r\nno colon\r\n", 1),
        "a header with a null byte": lambda given: given.whole(("X-Null", "a\0b")),
        "status 99": lambda given: given.whole().replace(str(given.status).encode(), b"99", 1),
        "status 999": lambda given: given.whole().replace(str(given.status).encode(), b"999", 1),
        "a chunk size that is none": lambda given: (
            given.head(("Transfer-Encoding", "chunked")) + b"zz\r\n" + given.body
        ),
        "length and chunks": lambda given: given.chunked(("Content-Length", "3")),
    }
    for name, make in broken.items():
        yield from at(Fault(name, family, _raw(make), errors=UNREADABLE), "once", "for ever")


def _silences() -> Iterator[Fault]:
    family = "silence"
    hangs = {
        "hang": _hang,
        "hang after the request": _hang_after,
        "hang in the head": _hang_in_head,
        "hang before the last byte": _drip,
    }
    for name, apply in hangs.items():
        yield from at(
            Fault(name, family, apply, recovers=True, errors=BROKEN, silent=True), "once", "for ever"
        )
    drips = {
        "drip of headers": _drip_headers,
        "drip of the body": _drip_body,
        "drip of chunks": _drip_chunks,
        "endless chunks": _endless,
        "endless interim responses": _endless_interim,
    }
    for name, apply in drips.items():
        yield from at(
            Fault(name, family, apply, errors=UNREADABLE, silent=True, bounded=True), "once", "for ever"
        )


def connection_faults() -> list[Fault]:
    """Return all of them."""
    return [
        *_breaks(),
        *_truncations(),
        *_lengths(),
        *_encodings(),
        *_protocol(),
        *_silences(),
    ]
