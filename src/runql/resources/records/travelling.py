"""What every object takes along when it is pickled, and how it gets a key in another process."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import SecretStr

from runql.api_key import given_key
from runql.config import checked_key
from runql.postponed import postponed

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient
else:
    globals().update(postponed("AsyncRetryingClient RetryingClient"))


class Travelling:
    """A base class of what can be pickled: all attributes travel, but those of this process.

    The client travels as its address and options, see `transport.processes.terms`.
    """

    __slots__ = ()

    _CLIENT: ClassVar[str] = "_client"
    """The attribute with the client."""

    _STAYS: ClassVar[frozenset[str]] = frozenset()
    """Attributes that stay in their process: locks, reads under way, functions of a caller."""

    def _settle(self) -> None:
        """Make anew what stayed behind."""

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name not in self._STAYS}

    def __setstate__(self, state: dict[str, object]) -> None:
        # A copy may change its lists and dicts without changing those of the original.
        copied = {name: copy(each) if type(each) in (list, dict) else each for name, each in state.items()}
        vars(self).update(copied)
        self._settle()

    def with_key(self, key: str | SecretStr) -> Self:
        """Return a copy that sends another API key; nothing is sent.

        A pickle holds no key: another process takes its own, from `WANDB_API_KEY` or netrc, or gets one here::

            run = pickle.loads(received).with_key(key)

        Raises:
            ConfigurationError: it cannot be a key.
        """
        given = given_key(key)
        del key  # tracebacks of errors show this frame's variables
        checked = checked_key(given)
        other = object.__new__(type(self))
        state = self.__getstate__()
        other.__setstate__(state | {self._CLIENT: self._sender().with_key(checked)})
        return other

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """What dask names a computation by: the same for two objects that read the same."""
        return (type(self).__qualname__, self._sender().settings.base_url, *self._token())

    def _sender(self) -> RetryingClient | AsyncRetryingClient:
        client: RetryingClient | AsyncRetryingClient = vars(self)[self._CLIENT]
        return client

    def _token(self) -> tuple[object, ...]:
        """What says which objects read the same, in Python's own types."""
        return (repr(self),)
