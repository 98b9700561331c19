"""Progress of long calls: a caller's function, or a bar that comes by itself when a call takes long."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final, Literal, Protocol, TypeAlias

from runql.arguments import shown
from runql.errors import MissingExtraError
from runql.escaping import one_line
from runql.transport.files.bodies import Progress

SECONDS_BEFORE: Final = 2.0
"""A call that is done by then draws no bar by itself."""

MOST_IN_LABEL: Final = 60
"""Characters of the label before a bar."""

SECONDS_BETWEEN: Final = 0.1
"""The shortest time between two drawings."""

SWITCH: Final = "RUNQL_PROGRESS"
"""The environment variable that switches all bars off, with one of `OFF`."""

OFF: Final = frozenset({"0", "false", "no", "off"})

Unit: TypeAlias = Literal["bytes", "rows", "runs", "items"]
Clock: TypeAlias = Callable[[], float]

_one_at_a_time: Final = threading.Lock()
"""Held while a bar that came by itself is drawn: two would overwrite each other."""

# A test replaces it.
clock: Clock = time.monotonic


class Bar(Protocol):
    """A bar that is drawn."""

    def show(self, done: int, total: int | None) -> None:
        """Draw how far the call is."""
        ...

    def close(self) -> None:
        """Draw it for the last time."""
        ...


@contextmanager
def reported(progress: Progress | bool | None, description: str, unit: Unit) -> Generator[Progress | None]:
    """Yield the function to call with what is done and the total, while the ``with`` block runs; None for none.

    Args:
        progress: a caller's function, which is yielded as it is; True for a bar at once, False for none; None for a bar
            that comes by itself.
        description: label before the bar.
        unit: of the numbers.

    Raises:
        TypeError: ``progress`` is something else.
        MissingExtraError: True, a bar can be drawn, and rich (extra ``progress``) is not installed.
    """
    checked_progress(progress)
    if progress is not None and not isinstance(progress, bool):
        yield progress
        return
    if progress is False or not can_draw():
        yield None
    elif progress:
        bar = RichBar(description, unit)
        try:
            yield bar.show
        finally:
            bar.close()
    elif not has_libraries():
        yield None
    else:
        late = LateBar(lambda: RichBar(description, unit))
        try:
            yield late.show
        finally:
            late.close()


@contextmanager
def reported_in_loop(
    progress: Progress | bool | None,
    description: str,
    unit: Unit,
    total: Callable[[], int | None] | None = None,
) -> Generator[Progress | None]:
    """As `reported`, around a loop of the caller: no bar comes by itself, because the caller may print in it.

    The function that it yields passes on what differs from the report before. ``total`` returns the total of the whole
    loop, where those who report know that of a part.
    """
    with reported(False if checked_progress(progress) is None else progress, description, unit) as report:
        latest: tuple[int, int | None] | None = None

        def report_news(done: int, of_part: int | None) -> None:
            nonlocal latest
            news = done, of_part if total is None else total()
            if report is not None and latest != news:
                latest = news
                report(*news)

        yield None if report is None else report_news


class LateBar:
    """A bar that is opened at the first report after `SECONDS_BEFORE`, unless another one is drawn then.

    Where nothing can be drawn any more, such as on a terminal that was closed, it draws nothing: the call goes on.
    """

    def __init__(self, open_bar: Callable[[], Bar]) -> None:
        self._open_bar = open_bar
        self._bar: Bar | None = None
        self._is_over = False
        self._due = clock() + SECONDS_BEFORE

    def show(self, done: int, total: int | None) -> None:
        """Open the bar if it is time, and draw how far the call is."""
        if self._is_over or (self._bar is None and clock() < self._due):
            return
        try:
            bar = self._bar or self._opened()
            if bar is not None:
                bar.show(done, total)
        except (OSError, ValueError):
            # A closed or broken stream.
            self.close()

    def _opened(self) -> Bar | None:
        if not _one_at_a_time.acquire(blocking=False):
            return None
        try:
            self._bar = self._open_bar()
        finally:
            if self._bar is None:
                _one_at_a_time.release()
        return self._bar

    def close(self) -> None:
        """Draw it for the last time, if it was drawn at all."""
        self._is_over = True
        bar, self._bar = self._bar, None
        if bar is None:
            return
        try:
            bar.close()
        except (OSError, ValueError):
            pass  # as above
        finally:
            _one_at_a_time.release()


class RichBar:
    """A bar of rich on stderr or in a notebook. It is drawn in the caller's threads, when something is reported."""

    def __init__(self, description: str, unit: Unit) -> None:
        """Draw an empty bar.

        Raises:
            MissingExtraError: rich (extra ``progress``) is not installed.
        """
        try:
            from rich import progress as rich  # noqa: PLC0415 - only where it draws
            from rich.console import Console  # noqa: PLC0415
            from rich.markup import escape  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("rich", extra="progress", needed_for="a progress bar") from error
        numbers = (
            (rich.DownloadColumn(), rich.TransferSpeedColumn())
            if unit == "bytes"
            else (rich.MofNCompleteColumn(), rich.TextColumn(unit))
        )
        self._bar = rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            *numbers,
            rich.TimeRemainingColumn(),
            console=Console(stderr=True, force_jupyter=in_notebook()),
            auto_refresh=False,
        )
        self._task = self._bar.add_task(escape(one_line(description, MOST_IN_LABEL)), total=None)
        self._drawn = clock()
        self._drawing = threading.Lock()
        self._bar.start()

    def show(self, done: int, total: int | None) -> None:
        """Note how far the call is, and draw it unless that was done a moment ago."""
        with self._drawing:
            self._bar.update(self._task, completed=done, total=total)
            now = clock()
            if now - self._drawn >= SECONDS_BETWEEN:
                self._drawn = now
                self._bar.refresh()

    def close(self) -> None:
        """Draw it for the last time."""
        with self._drawing:
            self._bar.stop()


def can_draw() -> bool:
    """Whether there is a place for bars, a terminal at stderr or a notebook, and none switched them off."""
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return False
    try:
        return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    except ValueError:
        # stderr was closed.
        return False


def has_libraries() -> bool:
    """Whether what draws a bar is installed: rich, in a notebook also ipywidgets."""
    wanted = ("rich", "ipywidgets") if in_notebook() else ("rich",)
    return all(map(_is_installed, wanted))


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:
        # A module that was made by hand has no spec.
        return False


def checked_progress(progress: Progress | bool | None) -> Progress | bool | None:
    """Check what a caller gave, and return it.

    Raises:
        TypeError: it is no function, True, False or None.
    """
    if progress is None or isinstance(progress, bool) or callable(progress):
        return progress
    raise TypeError(
        f"progress must be a function of what is done and the total, True, False or None, not {shown(progress)}"
    )
