"""What a server tells of a run's exports: where the files are, and which rows are in none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Final

from runql.frames.batches import step_of
from runql.resources.records.identity import require_run
from runql.transport.codec import RawList
from runql.transport.flow import Flow, fetch_with_raw_lists
from runql.values import JSONValue, as_json, parse_json, rows_of_array
from runql_graphql.fragments import HistoryWindow
from runql_graphql.operations import scan_history

LIVE_ROWS: Final = RawList("liveData", depth=1)
"""A row for each step that is in no file: of a run without files these are all."""


@dataclass(frozen=True)
class ExportListing:
    """A run's exports, as they were when the server was asked.

    Attributes:
        urls: signed addresses of parquet files, in no particular order; they expire.
        live_rows: the rows that are in none of the files, with their steps; as JSON text, or read.
        line_count: rows of the whole history, where the server tells it.
        history_keys: what is known of each metric, where it was asked for.
    """

    urls: tuple[str, ...]
    live_rows: bytes | Sequence[JSONValue]
    line_count: int | None = None
    history_keys: JSONValue = None

    @cached_property
    def live_count(self) -> int:
        """How many rows are in none of the files."""
        rows = self.live_rows
        if isinstance(rows, bytes):
            return rows.count(b"{")
        return len(rows)

    # Looked at late: of a run without exports these are all rows, and nobody asks for their steps.
    @cached_property
    def live_steps(self) -> Sequence[int]:
        """The steps of the live rows, rising, one for each row that has one."""
        rows = (
            rows_of_array(parse_json(self.live_rows)) if isinstance(self.live_rows, bytes) else self.live_rows
        )
        steps = (step_of(row) for row in rows if isinstance(row, dict))
        return sorted(step for step in steps if step is not None)

    def live_within(self, start: int, stop: int | None) -> Sequence[int]:
        """The steps of the live rows of ``start <= step < stop``, rising."""
        return [step for step in self.live_steps if start <= step and (stop is None or step < stop)]


def can_read_exports() -> bool:
    """Whether there is a library that reads them."""
    return find_spec("polars") is not None


def listing_of(run: HistoryWindow, texts: Mapping[str, Sequence[bytes]]) -> ExportListing | None:
    """What a window tells of exports; None when it was not asked, or a live row has no step.

    Args:
        run: the window.
        texts: what was kept out of the model, by field; perhaps its live rows.
    """
    told = run.parquet_history
    if told is None:
        return None
    rows = as_json(told.live_data)
    live = texts.get(LIVE_ROWS.field)
    listing = ExportListing(
        tuple(told.parquet_urls),
        live[0] if live else rows if isinstance(rows, list) else [],
        run.history_line_count,
        as_json(run.history_keys),
    )
    return None if listing.urls and len(listing.live_steps) < listing.live_count else listing


def list_exports(
    entity: str, project: str, run: str, *, with_keys: bool = False
) -> Flow[ExportListing | None]:
    """Ask for the exports of a run, and for no rows; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project holds no such run.
    """
    operation = scan_history(
        entity=entity,
        project=project,
        run=run,
        min_step=0,
        samples=1,
        specs=[],
        whole=False,
        chosen=False,
        with_keys=with_keys,
        with_exports=True,
    )
    answer, texts = yield from fetch_with_raw_lists(operation, LIVE_ROWS)
    return listing_of(require_run(answer.project, entity, project, run), texts)
