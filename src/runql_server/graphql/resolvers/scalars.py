"""Scalars that check their input values."""

from __future__ import annotations

from typing import Final

from ariadne import ScalarType

from runql_server.errors import RequestError

int64: Final = ScalarType("Int64")
json_string: Final = ScalarType("JSONString")


@int64.value_parser
def parse_int64(value: object) -> int:
    """Parse an integer or its decimal digits; refuses more than 64 bits, the limit of the database."""
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or not -(2**63) <= number < 2**63:
        raise RequestError(f"Int64 needs a whole number of 64 bits, not {str(value)[:40]!r}")
    return number


@json_string.value_parser
def parse_json_string(value: object) -> str:
    """Return the string; refuses JSON values that are not in a string."""
    if not isinstance(value, str):
        raise RequestError(f"JSONString needs JSON in a string, not {type(value).__name__}")
    return value


BINDABLES = [int64, json_string]
