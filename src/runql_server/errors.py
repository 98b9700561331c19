"""Errors of a request; the server sends their messages to the client."""

from __future__ import annotations

from typing import ClassVar


class RequestError(Exception):
    """A mistake of the caller; its message is safe and useful to send back."""

    status: ClassVar[int] = 400
    """HTTP status outside GraphQL."""


class NotFoundError(RequestError):
    """The named project, run or file does not exist."""

    status: ClassVar[int] = 404


class ForbiddenError(RequestError):
    """The caller may not do this."""

    status: ClassVar[int] = 403


class TooLargeError(RequestError):
    """The body of the request is above the limit of its route."""

    status: ClassVar[int] = 413


class UnknownEncodingError(RequestError):
    """The body is compressed in a way that the server does not know."""

    status: ClassVar[int] = 415


class StorageFullError(RequestError):
    """The server's disk takes no more bytes."""

    status: ClassVar[int] = 507


class FilterError(RequestError):
    """A filter is not valid; the message names the key or operator."""


class NotSupportedError(RequestError):
    """The schema has this field, but the embedded server does not implement it yet."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is not supported yet by the embedded server")
