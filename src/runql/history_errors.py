"""The errors that only exports of histories know; their place in the tree is drawn in `runql.errors`."""

from __future__ import annotations

from runql.errors import RunqlError


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
