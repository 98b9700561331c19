"""Opaque node ids: base64 of ``Type:rest``, as the real server hands them out."""

from __future__ import annotations

import base64

from runql_server.errors import NotFoundError


def encode(kind: str, rest: int | str) -> str:
    """Make the opaque id of a thing."""
    return base64.b64encode(f"{kind}:{rest}".encode()).decode()


def decode(kind: str, opaque: str) -> str:
    """Give back what follows the type; anything else than an id of that type is not found."""
    try:
        found, colon, rest = base64.b64decode(opaque, validate=True).decode().partition(":")
    except ValueError as error:
        raise NotFoundError(f"{opaque!r} is not the id of a {kind}") from error
    if found != kind or not colon:
        raise NotFoundError(f"{opaque!r} is not the id of a {kind}")
    return rest


def decode_number(kind: str, opaque: str) -> int:
    """The same for ids that hold a row number."""
    rest = decode(kind, opaque)
    if not rest.isdecimal() or len(rest) > 18:
        raise NotFoundError(f"{opaque!r} is not the id of a {kind}")
    return int(rest)
