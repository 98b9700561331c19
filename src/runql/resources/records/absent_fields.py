"""Fields that older servers do not know."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from runql.errors import OutdatedServerError
from runql.transport.unknown_parts import describe_unknown_parts

T = TypeVar("T")


def require_field(value: T | None, part: str) -> T:
    """Return the value of a field, which every server that knows the field sets.

    Raises:
        OutdatedServerError: the value is None.
    """
    if value is None:
        raise missing_field_error(part)
    return value


def require_requested_field(fields: BaseModel, name: str, part: str) -> None:
    """Check that the response contains a field, which may be null.

    Raises:
        OutdatedServerError: the response does not contain it.
    """
    if name not in fields.model_fields_set:
        raise missing_field_error(part)


def missing_field_error(part: str) -> OutdatedServerError:
    """Return the error for a field that was left out of the request because the server refused it before."""
    return OutdatedServerError(describe_unknown_parts([part]), status=200, unknown=[part])
