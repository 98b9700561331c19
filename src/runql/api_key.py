"""The API key, in an object that no repr, pickle, or walk over attributes shows."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn, Self

from pydantic import SecretStr

from runql.errors import UnshareableError


class ApiKey(SecretStr):
    """An API key that only `get_secret_value` returns.

    pydantic's own `SecretStr` keeps it in an attribute, where ``vars()`` and pickle find it.
    """

    def __init__(self, secret_value: str) -> None:
        self._reveal: Callable[[], str] = lambda: secret_value

    def get_secret_value(self) -> str:
        """Return the key; do not keep it in a variable."""
        return self._reveal()

    def __len__(self) -> int:
        return len(self._reveal())

    def _display(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretStr):
            return NotImplemented
        mine, theirs = self.get_secret_value(), other.get_secret_value()
        return hmac.compare_digest(mine.encode(errors="surrogatepass"), theirs.encode(errors="surrogatepass"))

    def __hash__(self) -> int:
        return hash(self._reveal())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise UnshareableError(
            "an API key cannot be pickled: pickle the Settings, which other processes complete with a key of their own"
        )


class _NoKey(ApiKey):
    """Takes the place of a key.

    Attributes:
        reason: where a key was searched.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("")
        self.reason: str = reason


class AbsentKey(_NoKey):
    """Takes the place of a key that this process has not: no request is sent."""


class AnonymousKey(_NoKey):
    """Takes the place of a key where requests carry none, for servers that ask for none."""


class BearerToken(ApiKey):
    """A token of another API, which requests carry as such; W&B's keys are a user's password instead."""


def given_key(value: str | SecretStr | None) -> ApiKey | None:
    """Wrap what a caller gave as a key, unchecked, so that the caller's frame can delete it; None stays None."""
    if value is None:
        return None
    return ApiKey(value.get_secret_value() if isinstance(value, SecretStr) else value)
