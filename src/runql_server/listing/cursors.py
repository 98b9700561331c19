"""Opaque page cursors: the sort value of the last row, so that new rows do not shift later pages."""

from __future__ import annotations

import base64
import binascii
import json
from typing import NamedTuple

from runql_server.errors import RequestError


class CursorError(RequestError):
    """The string is not a cursor of this list and order."""


class Position(NamedTuple):
    """The sort value (``None`` if the run has none) and the row number that breaks ties."""

    key: int | float | str | None
    number: int


def encode(order: str, position: Position) -> str:
    """Encode the cursor of a row; it is valid for this order only."""
    return base64.urlsafe_b64encode(json.dumps([order, *position]).encode()).decode()


def decode(order: str, cursor: str) -> Position:
    """Decode a cursor; raises `CursorError`."""
    try:
        parts: object = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise CursorError(f"after: malformed cursor {cursor[:100]!r}") from error
    match parts:
        case [str(made_for), None | int() | float() | str() as key, int(number)] if (
            -(2**63) <= number < 2**63
        ):
            if made_for != order:
                raise CursorError(f"after: this cursor belongs to order {made_for!r}, not {order!r}")
            return Position(key, number)
        case _:
            raise CursorError(f"after: malformed cursor {cursor[:100]!r}")


def encode_number(kind: str, number: int) -> str:
    """Encode the cursor of a list in row or line order."""
    return encode(kind, Position(None, number))


def decode_number(kind: str, cursor: str | None, *, start: int) -> int:
    """Decode such a cursor; without one, return ``start``."""
    return start if not cursor else decode(kind, cursor).number
