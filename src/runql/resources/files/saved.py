"""Which files of a download have arrived, for the error of one that fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from runql.errors import RunqlError, first_few
from runql.escaping import one_line
from runql.transport.flow import Flow

T = TypeVar("T")


class SavedFiles:
    """The files that one call saves, and those that have arrived."""

    def __init__(self, names: Iterable[str]) -> None:
        self._arrived = dict.fromkeys(names, False)

    def note(self, name: str) -> None:
        """Take note of a file that has arrived."""
        self._arrived[name] = True

    def noting(self, saving: Flow[T], name: str) -> Flow[T]:
        """Save one file, and take note that it has arrived."""
        result = yield from saving
        self.note(name)
        return result

    def explaining(self, saving: Flow[T]) -> Flow[T]:
        """Save all files. If that fails and there are several, a note of the error lists those that have arrived."""
        try:
            return (yield from saving)
        except RunqlError as error:
            if len(self._arrived) > 1:
                error.add_note(one_line(str(self)))
            raise

    def __str__(self) -> str:
        saved = [name for name, has_arrived in self._arrived.items() if has_arrived]
        missing = [name for name, has_arrived in self._arrived.items() if not has_arrived]
        return f"files saved: {_counted(saved)}; not saved: {_counted(missing)}"


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} ({first_few(names)})" if names else "0"
