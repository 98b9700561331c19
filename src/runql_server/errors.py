"""Errors of a request; the server sends their messages to the client."""


class RequestError(Exception):
    """A mistake of the caller; its message is safe and useful to send back."""


class NotFoundError(RequestError):
    """The named project, run or file does not exist."""


class FilterError(RequestError):
    """A filter is not valid; the message names the key or operator."""


class NotSupportedError(RequestError):
    """The schema has this field, but the embedded server does not implement it yet."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is not supported yet by the embedded server")
