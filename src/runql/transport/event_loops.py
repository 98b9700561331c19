"""An identity for the running event loop, because connections of one loop cannot be used in another."""

from __future__ import annotations

from typing import Final

from anyio.lowlevel import RunVar


class EventLoop:
    """Stands for one event loop of asyncio, or one run of trio, and lives as long as that."""


_CURRENT: Final = RunVar[EventLoop]("runql event loop")


def current_event_loop() -> EventLoop:
    """Return the running event loop's object, the same each time."""
    loop = _CURRENT.get(None)
    if loop is None:
        loop = EventLoop()
        _CURRENT.set(loop)
    return loop
