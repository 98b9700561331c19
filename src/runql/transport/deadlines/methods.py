"""Public methods that send several requests one after the other, and are one call all the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class SupportsCall(Protocol):
    """A client of either kind."""

    def call(self) -> AbstractContextManager[object]:
        """Let everything inside the block count as one call."""
        ...


class HasClient(Protocol):
    """An object with a public client, such as `Api`."""

    @property
    def client(self) -> SupportsCall: ...


S = TypeVar("S", bound=HasClient)


def counts_as_one_call(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let all requests of a method share one deadline and one retry budget."""

    @wraps(method)
    def called(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.client.call():
            return method(self, *args, **kwargs)

    return called


# Any: as Python types an `async def`.
def counts_as_one_async_call(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The async twin of `counts_as_one_call`."""

    @wraps(method)
    async def awaited(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.client.call():
            return await method(self, *args, **kwargs)

    return awaited
