"""The list of a run's exports: where the parquet files are, and which rows are in none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Final

from runql.frames.batches import step_of
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.records.identity import require_run
from runql.transport.codec import RawList
from runql.transport.flow import Flow, fetch_with_raw_lists
from runql.values import JSONValue, as_json, parse_json, rows_of_array
from runql_graphql.fragments import HistoryWindow
from runql_graphql.operations import scan_history

LIVE_ROWS: Final = RawList("liveData", depth=1)
"""The rows that are in no file; of a run without files these are all rows."""


@dataclass(frozen=True)
class ExportListing:
    """A run's exports at the time of the request.

    Attributes:
        urls: signed addresses of parquet files, in no particular order; they expire.
        live_rows: the rows that are in none of the files, with their steps; as JSON, or parsed.
        line_count: rows of the whole history, where the server counts them.
        history_keys: what the server knows of each metric, where it was requested.
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

    # Computed late: of a run without exports these are all rows, and their steps are rarely needed.
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
    """Whether the library that reads exports is installed."""
    return find_spec("polars") is not None


def listing_of(run: HistoryWindow, cut: Mapping[str, Sequence[bytes]]) -> ExportListing | None:
    """The exports in a response; None where they were not requested, or a live row has no step.

    Args:
        run: the run in the response.
        cut: what was cut out of the response, by field; perhaps the live rows.
    """
    exports = run.parquet_history
    if exports is None:
        return None
    rows = as_json(exports.live_data)
    live = cut.get(LIVE_ROWS.field)
    listing = ExportListing(
        tuple(exports.parquet_urls),
        live[0] if live else rows if isinstance(rows, list) else [],
        run.history_line_count,
        as_json(run.history_keys),
    )
    return None if listing.urls and len(listing.live_steps) < listing.live_count else listing


def list_exports(run: RunAddress, *, with_keys: bool = False) -> Flow[ExportListing | None]:
    """Request the exports of a run, and no rows; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project holds no such run.
    """
    operation = scan_history(
        entity=run.entity,
        project=run.project,
        run=run.run_id,
        min_step=0,
        samples=1,
        specs=[],
        whole=False,
        chosen=False,
        with_keys=with_keys,
        with_exports=True,
    )
    response, cut = yield from fetch_with_raw_lists(operation, LIVE_ROWS)
    return listing_of(require_run(response.project, run.entity, run.project, run.run_id), cut)
