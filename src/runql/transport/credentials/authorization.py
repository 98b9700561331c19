"""The header that carries the API key, for the time of one exchange, and the spellings that nothing may show."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Generator
from functools import cache
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from runql.tracebacks import FramesHidden, redact_error
from runql.transport.credentials.log_filter import hide_in_logs
from runql.transport.http_library import httpx

_HEADER: Final = "Authorization"
_BLANK: Final = "***"
_SHORTEST_PART: Final = 32


class Authorization(httpx.Auth):
    """Sends a copy of a request, with the API key; the response refers to the request without it.

    httpx keeps requests in its responses, which local variables show.
    """

    __slots__ = ("_key",)

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Send the request once, with the key."""
        response = yield self._with_key(request)
        response.request = request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the request once, with the key."""
        response = yield self._with_key(request)
        response.request = request

    def _with_key(self, request: httpx.Request) -> httpx.Request:
        headers = request.headers.copy()
        headers[_HEADER] = f"Basic {_token(self._key)}"
        sent = httpx.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        if isinstance(sent.stream, httpx.ByteStream):
            sent.read()  # transports of callers look at `content`
        return sent


class Credentials:
    """The API key of one endpoint.

    Attributes:
        authorization: adds the key to a request.
    """

    def __init__(self, key: SecretStr) -> None:
        """Raises ValueError when no header can carry the key."""
        key.get_secret_value().encode()
        self.authorization: Authorization = Authorization(key)
        # Cached in a function, where no walk over attributes finds them.
        self._spellings = cache(lambda: _spellings(key))
        hide_in_logs(self)

    def redact(self, string: str) -> str:
        """Return a string without the key, in any of its spellings."""
        for spelling in self._spellings():
            string = string.replace(spelling, _BLANK)
        return string

    def redact_bytes(self, content: bytes) -> bytes:
        """Return bytes without the key, in any of its spellings."""
        for spelling in self._spellings():
            content = content.replace(spelling.encode(), _BLANK.encode())
        return content

    def guard(self) -> FramesHidden:
        """Return a context for one exchange; see `FramesHidden`."""
        return FramesHidden(self.redact)

    def redact_error(self, error: BaseException) -> None:
        """Blank the key in an error that quotes the server's data."""
        redact_error(error, self.redact)


def _token(key: SecretStr) -> str:
    return base64.b64encode(f"api:{key.get_secret_value()}".encode()).decode("ascii")


def _spellings(key: SecretStr) -> tuple[str, ...]:
    plain = key.get_secret_value()
    if not plain:
        return ()
    parts = [plain, plain.partition("-")[2]]
    pairs = [f"api:{plain}", f"{plain}:api", f"{plain}:", plain]
    found = {each for part in parts if len(part) >= _SHORTEST_PART for each in (part, quote(part, safe=""))}
    found |= {base64.b64encode(pair.encode()).decode("ascii").rstrip("=") for pair in pairs}
    found.add(plain)
    # The longest first: a part of a spelling may be another one.
    return tuple(sorted(found, key=len, reverse=True))
