"""Opaque node ids: base64 of ``Type:rest``, the form of the real server."""

from __future__ import annotations

import base64

from runql_server.errors import NotFoundError


def encode(kind: str, rest: int | str) -> str:
    """Encode a type name and a key as an opaque id."""
    return base64.b64encode(f"{kind}:{rest}".encode()).decode()


def decode(kind: str, opaque: str) -> str:
    """Return the part after the type; raises ``NotFoundError`` unless it is an id of that type."""
    try:
        found, colon, rest = base64.b64decode(opaque, validate=True).decode().partition(":")
    except ValueError as error:
        raise NotFoundError(f"{opaque!r} is not the id of a {kind}") from error
    if found != kind or not colon:
        raise NotFoundError(f"{opaque!r} is not the id of a {kind}")
    return rest


def decode_number(kind: str, opaque: str) -> int:
    """Decode an id that holds a row number; raises as `decode`."""
    rest = decode(kind, opaque)
    if not rest.isdecimal() or len(rest) > 18:
        raise NotFoundError(f"{opaque!r} is not the id of a {kind}")
    return int(rest)
