"""The header that carries the API key, for the time of one exchange, and the spellings that nothing may show."""

from __future__ import annotations

import base64
from functools import cache
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from runql.api_key import AnonymousKey, BearerToken
from runql.tracebacks import FramesHidden, redact_error
from runql.transport.credentials.log_filter import hide_in_logs

_BLANK: Final = "***"
_SHORTEST_PART: Final = 32


class Credentials:
    """The API key of one endpoint."""

    def __init__(self, key: SecretStr) -> None:
        """Raises ValueError when no header can carry the key."""
        key.get_secret_value().encode()
        self._key = key
        # Cached in a function, where no walk over attributes finds them.
        self._spellings = cache(lambda: _spellings(key))
        hide_in_logs(self)

    @property
    def is_anonymous(self) -> bool:
        """Whether no request carries a key."""
        return isinstance(self._key, AnonymousKey)

    def header(self) -> tuple[str, str]:
        """Return the header that carries the key."""
        if isinstance(self._key, BearerToken):
            return "Authorization", f"Bearer {self._key.get_secret_value()}"
        return "Authorization", f"Basic {_token(self._key)}"

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
