"""Wraps the async client so that sync code can use it: the wrapper awaits each result."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeGuard

from anyio.from_thread import BlockingPortal, start_blocking_portal

Inner: TypeAlias = Any  # Any: a proxy for every async class
_END: Final = object()


class Used:
    """A proxy of an object of the async client."""

    def __init__(self, portal: BlockingPortal, inner: Inner) -> None:
        object.__setattr__(self, "_portal", portal)
        object.__setattr__(self, "_inner", inner)

    _portal: BlockingPortal
    _inner: Inner

    def __getattr__(self, name: str) -> Inner:
        return self._taken(getattr(self._inner, name))

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._inner, name, value)

    def __call__(self, *given: object, **named: object) -> Inner:
        return self._taken(
            self._inner(*map(_bare, given), **{key: _bare(each) for key, each in named.items()})
        )

    def __getitem__(self, key: object) -> Inner:
        return self._taken(self._inner[key])

    def __setitem__(self, key: object, value: object) -> None:
        self._inner[key] = value

    def __delitem__(self, key: object) -> None:
        del self._inner[key]

    def __len__(self) -> int:
        inner: object = self._inner
        kind = type(inner)
        if hasattr(kind, "__len__"):
            return len(self._inner)
        if not hasattr(kind, "length"):
            raise TypeError(f"{kind.__name__} has no length")
        length: int = self.length
        return length

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Inner]:
        if not _is_iterated_by_awaiting(members := self._inner):
            return iter(self._inner)
        return iter([self._taken(each) for each in self._portal.call(_collected, members)])

    def __next__(self) -> Inner:
        found = self._portal.call(_following, self._inner)
        if found is _END:
            raise StopIteration
        return self._taken(found)

    def __str__(self) -> str:
        return str(self._inner)

    def _taken(self, value: object) -> object:
        found = self._portal.call(_awaited, value) if _is_awaitable(value) else value
        if _is_list(found) and any(map(_is_to_be_used, found)):
            return [Used(self._portal, each) for each in found]
        return Used(self._portal, found) if _is_to_be_used(found) else found


@contextmanager
def loop() -> Generator[Callable[[type], Used]]:
    """Run an event loop in another thread, and yield the wrapper for classes."""
    with start_blocking_portal() as portal:
        yield lambda entry: Used(portal, entry)


def _bare(value: object) -> object:
    inner: object = object.__getattribute__(value, "_inner") if isinstance(value, Used) else value
    return inner


def _is_to_be_used(value: object) -> bool:
    return callable(value) or type(value).__module__.startswith("runql")


def _is_awaitable(value: object) -> TypeGuard[Awaitable[object]]:
    return isinstance(value, Awaitable)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_iterated_by_awaiting(value: object) -> TypeGuard[AsyncIterable[object]]:
    return isinstance(value, AsyncIterable)


async def _awaited(value: Awaitable[object]) -> object:
    return await value


async def _following(many: Inner) -> object:
    following: object = await anext(many, _END)
    return following


async def _collected(many: AsyncIterable[object]) -> Sequence[object]:
    return [each async for each in many]
