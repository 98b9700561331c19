"""Which event loop runs the present task: what belongs to one loop must not be used in another."""

from __future__ import annotations

from typing import Final

from anyio.lowlevel import RunVar


class EventLoop:
    """Stands for one event loop (of trio: one run), as long as that exists."""


_CURRENT: Final = RunVar[EventLoop]("runql event loop")


def current_event_loop() -> EventLoop:
    """Return the one that runs this; the same object each time."""
    loop = _CURRENT.get(None)
    if loop is None:
        loop = EventLoop()
        _CURRENT.set(loop)
    return loop
