"""What a request can do wrong, as exceptions whose text is sent to the client."""


class RequestError(Exception):
    """A mistake of the caller; its text is safe and useful to send back."""


class NotFoundError(RequestError):
    """The named project, run or file does not exist here."""


class FilterError(RequestError):
    """A filter cannot be understood; the text names the key or operator."""


class NotSupportedError(RequestError):
    """The schema has this field but the embedded server does not implement it yet."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is not supported yet by the embedded server")
