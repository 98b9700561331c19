"""Fields that a server may not know, and what is said when one of them is looked at that there is no value for."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from runql.errors import OutdatedServerError
from runql.transport.unknown_parts import describe_unknown_parts

T = TypeVar("T")


def present(value: T | None, part: str) -> T:
    """The value of a field that has one on every server that knows it.

    Raises:
        OutdatedServerError: there is none.
    """
    if value is None:
        raise absent(part)
    return value


def asked(fields: BaseModel, name: str, part: str) -> None:
    """Check that a field which may be null was in the response.

    Raises:
        OutdatedServerError: it was not.
    """
    if name not in fields.model_fields_set:
        raise absent(part)


def absent(part: str) -> OutdatedServerError:
    """The error for a field that the server was not asked for, because it refused it before."""
    return OutdatedServerError(describe_unknown_parts([part]), status=200, unknown=[part])
