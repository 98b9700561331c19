"""The errors that only histories know; their place in the tree is drawn in `runql.errors`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runql.errors import RunqlError, UnreadableValueError


class IncompleteHistoryError(RunqlError):
    """The server does not send every row of a run's history.

    Attributes:
        run: entity, project and run id.
        found: rows that came.
        expected: rows that the server counts; None where it does not count them.
        partial: the rows that came, as dicts; empty where they were handed out.
    """

    def __init__(
        self,
        run: str,
        found: int,
        expected: int | None,
        reason: str,
        partial: Sequence[Mapping[str, object]] = (),
    ) -> None:
        self.run = run
        self.found = found
        self.expected = expected
        self.reason = reason
        self.partial = list(partial)
        missing = (
            "rows" if expected is None or expected <= found else f"{expected - found} of {expected} rows"
        )
        super().__init__(f"{missing} of the history of run {run} are missing: {reason}; {found} rows came")

    def with_partial(self, partial: Sequence[Mapping[str, object]]) -> IncompleteHistoryError:
        """The same error, with the rows that came."""
        return IncompleteHistoryError(self.run, self.found, self.expected, self.reason, partial)


class CorruptHistoryError(UnreadableValueError):
    """The server sent a history row that cannot be read.

    Attributes:
        run: entity, project and run id.
        row: place of the row in the response, counted from 0.
    """

    def __init__(self, run: str, row: int, reason: str) -> None:
        self.run = run
        self.row = row
        self.reason = reason
        super().__init__(f"row {row} of a response with the history of run {run} cannot be read: {reason}")


class HistoryNotExportedError(RunqlError):
    """Some rows of a run's history are in none of its parquet files; nothing was fetched.

    Attributes:
        run: entity, project and run id.
        live_rows: how many rows.
    """

    def __init__(self, run: str, live_rows: int) -> None:
        self.run = run
        self.live_rows = live_rows
        super().__init__(
            f"{live_rows} rows of run {run} are in no export yet: servers write exports some time after a run has "
            "logged. require_complete=False fetches what there is, scan_history() reads all rows"
        )
