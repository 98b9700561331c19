"""Faults of the JSON in responses: encodings, shapes, nulls, partial data, responses to other requests, clocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from tests.faults.matrix.faults import OPERATIONS, UNREADABLE, Errors, Fault, at
from tests.faults.matrix.front import Exchange, Given
from tests.faults.matrix.plain import is_array, is_object

from runql import (
    ChangeRefusedError,
    MismatchedResponseError,
    NotFoundError,
    PaginationError,
    QueryError,
    RunChangedError,
    RunqlError,
    SchemaDriftError,
    UnreadableValueError,
    UploadRefusedError,
)

Body: TypeAlias = Any  # Any: parsed JSON that a fault changes in place
Change: TypeAlias = Callable[[bytes], bytes | None]

SHAPE: Final[Errors] = (*UNREADABLE, SchemaDriftError, MismatchedResponseError)
ABSENT: Final[Errors] = (
    *(*SHAPE, NotFoundError, PaginationError, ChangeRefusedError, UnreadableValueError),
    *(UploadRefusedError, RunChangedError),
)
_DEEP: Final = 100_000
_DEPTHS: Final = range(1, 7)
_EXTRA: Final = b'{"extensions": {"seen": "%s"}, '


def _changed(change: Change) -> Callable[[Exchange], object]:
    def apply(exchange: Exchange) -> object:
        given = exchange.forward()
        body = change(given.body)
        if body is None:
            return False
        exchange.respond(Given(given.status, given.headers, body))
        return None

    return apply


def _parsed(change: Callable[[Body], bool]) -> Change:
    def apply(body: bytes) -> bytes | None:
        try:
            value = json.loads(body)
        except ValueError:
            return None
        return json.dumps(value).encode() if change(value) else None

    return apply


def _extended(extra: bytes) -> Change:
    """Add an extension in front, whose string is of these bytes."""
    return lambda body: _EXTRA % extra + body.lstrip()[1:] if body.lstrip()[:1] == b"{" else None


def _in_a_string(replace: Callable[[bytes], bytes]) -> Change:
    """Change the first value that is a string of letters."""

    def apply(body: bytes) -> bytes | None:
        start = body.find(b'"displayName":')
        start = body.find(b'"name":') if start < 0 else start
        if start < 0:
            return None
        opening = body.find(b'"', body.find(b":", start))
        closing = body.find(b'"', opening + 1)
        if opening < 0 or closing <= opening + 1:
            return None
        return body[: opening + 1] + replace(body[opening + 1 : closing]) + body[closing:]

    return apply


def _with(extra: bytes) -> Callable[[bytes], bytes]:
    return lambda text: text + extra


def _path_of_depth(value: Body, depth: int) -> list[str | int] | None:
    """Return the first path of this length below `data` that leads to something."""
    if depth == 0:
        return []
    children: list[tuple[str | int, Body]] = []
    if is_object(value):
        children = list(value.items())
    elif is_array(value):
        children = list(enumerate(value))
    for key, child in children:
        if child is not None and (rest := _path_of_depth(child, depth - 1)) is not None:
            return [key, *rest]
    return None


def _partial(depth: int, *, nulled: bool) -> Callable[[Body], bool]:
    def change(value: Body) -> bool:
        data = value.get("data") if is_object(value) else None
        path = _path_of_depth(data, depth)
        if path is None:
            return False
        value["errors"] = [{"message": "the shard is away", "path": path}]
        if nulled:
            _set(data, path, None)
        return True

    return change


def _set(value: Body, path: list[str | int], new: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def _nulled(*names: str) -> Callable[[Body], bool]:
    """Set the first field of one of these names to null."""

    def change(value: Body) -> bool:
        if is_object(value):
            for name, child in value.items():
                if name in names and child is not None and (name != "node" or "id" in child):
                    value[name] = None
                    return True
        children = list(value.values()) if is_object(value) else value if is_array(value) else []
        return any(change(child) for child in children)

    return change


def _without(name: str) -> Callable[[Body], bool]:
    def change(value: Body) -> bool:
        if is_object(value):
            if name in value:
                del value[name]
                return True
            return any(change(child) for child in value.values())
        return is_array(value) and any(change(child) for child in value)

    return change


def _whole(new: object) -> Change:
    return lambda _body: json.dumps(new).encode()


def _strings() -> Iterator[Fault]:
    family = "strings and JSON"
    fine: dict[str, Change] = {
        "BOM": lambda body: b"\xef\xbb\xbf" + body,
        "invalid UTF-8 beside the data": _extended(b"\xff\xc0"),
        "half a surrogate pair beside the data": _extended(b"\\ud800"),
        "white space around": lambda body: b"\n\t " + body + b"\r\n",
        "names twice, the right one last": lambda body: b'{"data": null, ' + body.lstrip()[1:],
        "brackets 100,000 deep beside the data": lambda body: (
            b'{"extensions": ' + b"[" * _DEEP + b"]" * _DEEP + b", " + body.lstrip()[1:]
        ),
        "NaN beside the data": lambda body: b'{"extensions": NaN, ' + body.lstrip()[1:],
        "a number of 5,000 digits beside the data": lambda body: (
            b'{"extensions": ' + b"9" * 5_000 + b", " + body.lstrip()[1:]
        ),
    }
    for name, change in fine.items():
        yield from at(Fault(name, family, _changed(change), errors=SHAPE, kinds=OPERATIONS), "for ever")
    bad: dict[str, Change] = {
        "invalid UTF-8": _in_a_string(lambda text: text + b"\xff"),
        "half a UTF-8 sequence": _in_a_string(lambda text: text + b"\xe2\x82"),
        "UTF-16": lambda body: body.decode().encode("utf-16"),
        "names twice, null last": lambda body: body.rstrip()[:-1] + b', "data": null}',
        "brackets 100,000 deep": lambda _body: b"[" * _DEEP + b"]" * _DEEP,
        "objects 100,000 deep": lambda _body: b'{"data":' * _DEEP + b"null" + b"}" * _DEEP,
        "half of the JSON": lambda body: body[: len(body) // 2],
        "two bodies": lambda body: body + body,
        "garbage after the JSON": lambda body: body + b"<!-- served by proxy -->",
        "null bytes": lambda body: b"\0" * len(body),
        "empty JSON": lambda _body: b"",
    }
    for name, change in bad.items():
        # A response that ends too early is one that broke off.
        is_short = name in {"half of the JSON", "empty JSON"}
        fault = Fault(name, family, _changed(change), recovers=is_short, errors=SHAPE, kinds=OPERATIONS)
        yield from at(fault, "once", "for ever")
    for name, extra in {"half a surrogate pair": b"\\ud800", "a control character": b"\x01"}.items():
        shown = Fault(
            name, family, _changed(_in_a_string(_with(extra))), errors=ABSENT, kinds=OPERATIONS, shown=True
        )
        yield from at(shown, "for ever")


def _shapes() -> Iterator[Fault]:
    family = "shapes"
    shapes: dict[str, object] = {
        "data: null": {"data": None},
        "data: null and errors": {"data": None, "errors": [{"message": "away", "path": ["project"]}]},
        "data: []": {"data": []},
        "data: {}": {"data": {}},
        "data: a string": {"data": "yes"},
        "no data": {},
        "null": None,
        "a list": [],
        "a number": 7,
        "errors: a string": {"errors": "away", "data": None},
        "errors: nulls": {"errors": [None], "data": None},
        "errors: of numbers": {"errors": [{"message": 5, "path": [None, {}]}]},
        "errors: a message of 1 MB": {"errors": [{"message": "away\n" * 200_000}]},
    }
    for name, shape in shapes.items():
        fault = Fault(name, family, _changed(_whole(shape)), errors=SHAPE, kinds=OPERATIONS)
        yield from at(fault, "once", "for ever")
    for name in ("pageInfo", "edges", "name", "id", "success"):
        fault = Fault(f"no {name}", family, _changed(_parsed(_without(name))), errors=SHAPE, kinds=OPERATIONS)
        yield from at(fault, "for ever")


def _partial_data() -> Iterator[Fault]:
    family = "partial data"
    for depth in _DEPTHS:
        for nulled, what in ((True, "null and an error"), (False, "an error beside data")):
            fault = Fault(
                f"{what} at depth {depth}",
                family,
                _changed(_parsed(_partial(depth, nulled=nulled))),
                errors=(QueryError,),
                kinds=OPERATIONS,
            )
            yield from at(fault, "once")
            if nulled:
                yield from at(fault, "for ever")


def _nulls() -> Iterator[Fault]:
    family = "nulls"
    fields = {
        "project": ("project", "model"),
        "run": ("run", "upsertBucket", "bucket"),
        "history": ("history", "sampledHistory", "parquetHistory", "events"),
        "edges": ("edges",),
        "a node": ("node",),
        "a list": (
            "artifactCollections",
            "artifactTypes",
            "files",
            "inputArtifacts",
            "logLines",
            "models",
            "outputArtifacts",
            "runs",
            "sweeps",
            "usedBy",
            "users",
        ),
        "pageInfo": ("pageInfo",),
        "artifact": ("artifact", "artifactCollectionMembership", "artifactType", "artifactCollection"),
        "a URL": ("directUrl", "uploadUrl"),
    }
    for name, names in fields.items():
        fault = Fault(
            f"null for {name}", family, _changed(_parsed(_nulled(*names))), errors=ABSENT, kinds=OPERATIONS
        )
        yield from at(fault, "once", "for ever")


def _swaps() -> Iterator[Fault]:
    family = "swapped responses"

    def earlier(exchange: Exchange) -> object:
        kept = exchange.front.kept
        if kept is None:
            return False
        exchange.forward()
        exchange.respond(kept)
        return None

    def twice(exchange: Exchange) -> object:
        """Send the response twice: the second one waits where the next response is expected."""
        given = exchange.forward()
        exchange.send(given.whole() + given.whole())
        return None

    errors: tuple[type[RunqlError], ...] = (*ABSENT,)
    other = Fault("the response to another request", family, earlier, errors=errors, kinds=OPERATIONS)
    yield from at(other, "once", "second", "for ever")
    # The first copy is right. The connection is closed with the second one, so that even these for ever disturb nothing.
    for when in ("once", "for ever"):
        yield Fault("the response twice on one connection", family, twice, when, recovers=True)


def _clocks() -> Iterator[Fault]:
    def dated(value: str) -> Callable[[Exchange], object]:
        def apply(exchange: Exchange) -> None:
            given = exchange.forward()
            headers = tuple(each for each in given.headers if each[0].lower() != "date")
            exchange.respond(Given(given.status, (*headers, ("Date", value)), given.body))

        return apply

    def limited(remaining: str, reset: str) -> Callable[[Exchange], object]:
        def apply(exchange: Exchange) -> None:
            given = exchange.forward()
            more = (("RateLimit-Remaining", remaining), ("RateLimit-Reset", reset))
            exchange.respond(Given(given.status, (*given.headers, *more), given.body))

        return apply

    family = "clocks and limits"
    for value in ("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "yesterday", "\xff"):
        yield Fault(f"Date: {value!r}", family, dated(value), "for ever", recovers=True)
    for remaining, reset in (("nan", "nan"), ("-1", "-1"), ("0", "1e999"), ("0", "100000"), ("x", "")):
        name = f"RateLimit-Remaining {remaining!r}, Reset {reset!r}"
        yield Fault(name, family, limited(remaining, reset), "for ever", recovers=True)


def body_faults() -> list[Fault]:
    """Return all of them."""
    return [*_strings(), *_shapes(), *_partial_data(), *_nulls(), *_swaps(), *_clocks()]
