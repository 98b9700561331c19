"""One window of a scan: the request for its rows, and what the response holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runql.errors import IncompleteHistoryError, MismatchedResponseError
from runql.frames.batches import STEP, Batch, RowBatch, merge_by_step
from runql.frames.row_readers import RowReader
from runql.quick_dataclasses import dataclass
from runql.resources.history.chosen_rows import (
    CHOSEN_ROWS,
    content_by_run,
    naming_run,
    require_steps,
    rows_by_spec,
)
from runql.resources.history.exports.listing import LIVE_ROWS, ExportListing, listing_of
from runql.resources.history.plan import ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch_with_list_size, fetch_with_raw_lists
from runql.transport.sample_limits import is_far_below
from runql.values import JSONValue, as_json
from runql_graphql.operations import scan_history

if TYPE_CHECKING:
    from runql_graphql.fragments import HistoryWindow
    from runql_graphql.scan_history import ScanHistoryProject


@dataclass(frozen=True, slots=True)
class Outline:
    """The numbers and steps of a window's rows, without the rows.

    Attributes:
        start: the first step.
        stop: the step before which the window ends; None for no end.
        samples: rows that were requested in each list.
        heights: rows of each list in the window.
        received: rows of each list, with those at the border.
        first: the lowest step that arrived; the window's start when none did.
        last: the highest step that arrived; the step before the window's start when none did.
        middle: the step of the middle row of the longest list; the start when no row arrived.
        unbroken: for each list, the step before which it has exactly one row at each step of the window.
    """

    start: int
    stop: int | None
    samples: int
    heights: tuple[int, ...]
    received: tuple[int, ...]
    first: int
    last: int
    middle: int
    unbroken: tuple[int, ...]

    @property
    def most(self) -> int:
        """Rows of the longest list."""
        return max(self.received)

    def is_whole(self, end: int | None, bound: int) -> bool:
        """Whether the lists alone show that no row is missing.

        Args:
            end: the step before which rows are wanted; None where that is unknown.
            bound: the fewest rows, give or take a few, that a downsampled list has.
        """
        return all(
            (end is not None and self.start < end <= unbroken) or is_far_below(rows, bound)
            for rows, unbroken in zip(self.received, self.unbroken, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Window:
    """The server's response for one window.

    Attributes:
        batch: the requested rows, in step order.
        lists: the rows of each spec, or the one list of whole rows.
        outline: the numbers and steps of the rows.
        counts: what the server counts of the whole history.
        last_step: the highest step that the server reports, where it was requested.
        exports: of the run, where they were requested.
        steps: of all rows of the run, where they were requested; of some where the run has many.
        size: bytes of the JSON of its rows; 0 where that is unknown.
    """

    batch: Batch
    lists: Sequence[Batch]
    outline: Outline
    counts: RowCounts
    last_step: int | None
    exports: ExportListing | None = None
    steps: Batch | None = None
    size: int = 0

    def heights_before(self, step: int) -> tuple[int, ...]:
        """Rows of each list before a step of the window."""
        return tuple(rows.between(self.outline.start, step).height for rows in self.lists)


def read_window(
    plan: ScanPlan,
    start: int,
    stop: int | None,
    reader: RowReader,
    *,
    samples: int,
    with_keys: bool = False,
    with_exports: bool = False,
    with_steps: bool = False,
    fail_fast: bool = False,
) -> Flow[Window]:
    """Request the rows of ``start <= step < stop``; one request.

    ``with_steps`` also requests the steps of all rows of the run.

    Raises:
        IncompleteHistoryError: the server returned null instead of rows.
        CorruptHistoryError: a row cannot be read.
    """
    row_specs = specs_of(plan, start, stop, samples)
    specs = row_specs + ([steps_spec(samples)] if with_steps else [])
    operation = scan_history(
        entity=plan.run.entity,
        project=plan.run.project,
        run=plan.run.run_id,
        min_step=start,
        max_step=stop,
        samples=samples,
        specs=specs,
        whole=plan.keys is None,
        chosen=bool(specs),
        with_keys=with_keys,
        with_exports=with_exports,
    )
    if not specs and not with_exports:
        whole, size = yield from fetch_with_list_size(operation, "history", fail_fast=fail_fast)
        run = _require_run(plan, whole.project)
        window = _window(whole_rows(plan.path, run.history, reader, size), plan, run, start, stop, samples)
        return replace(window, size=size or 0)
    cuts = [CHOSEN_ROWS, LIVE_ROWS] if specs else [LIVE_ROWS]
    response, cut = yield from fetch_with_raw_lists(operation, *cuts, fail_fast=fail_fast)
    run = _require_run(plan, response.project)
    (content,) = content_by_run(cut, 1)
    chosen = chosen_rows(plan.path, run.sampled_history, content, len(specs), reader) if specs else []
    lists = chosen[: len(row_specs)]
    size = len(content or b"")
    if plan.keys is None:
        size = sum(map(len, run.history or ()))
        lists = whole_rows(plan.path, run.history, reader)
    window = _window(lists, plan, run, start, stop, samples)
    steps = chosen[-1] if with_steps else None
    return replace(window, exports=listing_of(run, cut), steps=steps, size=size)


def whole_rows(
    path: str, rows: Sequence[str] | None, reader: RowReader, size: int | None = None
) -> list[Batch | None]:
    """The one list of whole rows, in step order; None where the server returned null.

    Raises:
        CorruptHistoryError: a row cannot be read.
    """
    if rows is None:
        return [None]
    with naming_run(path):
        return [require_steps(path, reader.read(rows, size)).in_step_order()]


def chosen_rows(
    path: str, parsed: Sequence[object] | None, content: bytes | None, specs: int, reader: RowReader
) -> list[Batch | None]:
    """The list of rows of each spec, in step order; None where the server returned none.

    Raises:
        CorruptHistoryError: a row cannot be read.
    """
    with naming_run(path):
        lists = rows_by_spec(parsed, content, specs, reader)
    return [None if rows is None else require_steps(path, rows) for rows in lists]


def last_step(history_keys: JSONValue) -> int | None:
    """`historyKeys.lastStep`; None when it is missing or the server has none (-1)."""
    step = history_keys.get("lastStep") if isinstance(history_keys, dict) else None
    return int(step) if isinstance(step, (int, float)) and step >= 0 else None


def _require_run(plan: ScanPlan, project: ScanHistoryProject | None) -> HistoryWindow:
    return require_run(project, plan.run.entity, plan.run.project, plan.run.run_id)


def _window(
    lists: Sequence[Batch | None],
    plan: ScanPlan,
    run: HistoryWindow,
    start: int,
    stop: int | None,
    samples: int,
) -> Window:
    history_keys = as_json(run.history_keys)
    counts = RowCounts.of(run.history_line_count, history_keys)
    present = _require_lists(plan.path, lists, counts)
    outline = outline_of(present, start, stop, samples)
    _require_window(plan, outline)
    batch = requested_rows(plan, present)
    if outline.first < start or (stop is not None and outline.last >= stop):
        batch = batch.between(start, stop)
    return Window(batch, present, outline, counts, last_step(history_keys))


def _require_window(plan: ScanPlan, outline: Outline) -> None:
    """Refuse rows of which none can belong to the window: they are those of another one.

    Raises:
        MismatchedResponseError: the response is about another window.
    """
    start, stop, first, last = outline.start, outline.stop, outline.first, outline.last
    if first <= last and (last < start or (stop is not None and first > stop)):
        window = f"steps {start} to {'the end' if stop is None else stop}"
        raise MismatchedResponseError(f"{window} of run {plan.path}", f"steps {first} to {last}")


def _require_lists(path: str, lists: Sequence[Batch | None], counts: RowCounts) -> list[Batch]:
    """The lists; none may be missing unless the run has no rows.

    Raises:
        IncompleteHistoryError: one is missing.
    """
    present = [rows for rows in lists if rows is not None]
    if len(present) == len(lists):
        return present
    if counts.lines == 0:
        return [rows or RowBatch([]) for rows in lists]
    raise IncompleteHistoryError(path, 0, counts.lines, "the server sent null instead of rows")


def outline_of(lists: Sequence[Batch], start: int, stop: int | None, samples: int) -> Outline:
    """The numbers and steps of a window's rows."""
    extents = [rows.extent() or (start, start) for rows in lists if rows.height]
    first = min((low for low, _ in extents), default=start)
    last = max((high for _, high in extents), default=start - 1)
    is_inside = first >= start and (stop is None or last < stop)
    inside = lists if is_inside else [rows.between(start, stop) for rows in lists]
    longest = max(lists, key=lambda rows: rows.height)
    return Outline(
        start,
        stop,
        samples,
        tuple(rows.height for rows in inside),
        tuple(rows.height for rows in lists),
        first,
        last,
        longest.step_at(longest.height // 2) or start if longest.height else start,
        tuple(_unbroken(rows, start) for rows in inside),
    )


def _unbroken(rows: Batch, start: int) -> int:
    extent = rows.extent()
    if extent is None or extent[0] != start or extent[1] - extent[0] + 1 != rows.height:
        return start
    return extent[1] + 1 if rows.has_each_step_once() else start


def requested_keys(plan: ScanPlan) -> list[tuple[str, ...]]:
    """The keys of each spec: one spec for the rows that have all; for those that have any, one for each key.

    Where every row is wanted, the last spec is for the steps of all.
    """
    if plan.keys is None:
        return []
    if plan.match == "all":
        return [plan.columns]
    return [("_step", key) for key in plan.keys] + ([("_step",)] if plan.every_row else [])


def specs_of(plan: ScanPlan, start: int, stop: int | None, samples: int) -> list[str]:
    """The specs for `sampledHistory`, see `requested_keys`."""
    # The maxStep of a spec is inclusive, that of `history` exclusive. It is sent as if it were exclusive, and the row at
    # the border is dropped here: right on servers of either kind.
    bounds = {"minStep": start} | ({} if stop is None else {"maxStep": stop})
    return [
        json.dumps({"keys": list(dict.fromkeys(keys)), "samples": samples, **bounds})
        for keys in requested_keys(plan)
    ]


def steps_spec(samples: int) -> str:
    """The spec for the steps of all rows of a run, or of ``samples`` of them."""
    return json.dumps({"keys": ["_step"], "samples": samples})


def shares_steps(plan: ScanPlan, lists: Sequence[Batch]) -> bool:
    """Whether rows share a step, so that lists of their keys do not show which values belong to the same row."""
    return (
        plan.every_row
        and plan.keys is not None
        and plan.match == "any"
        and not lists[-1].has_each_step_once()
    )


def requested_rows(plan: ScanPlan, lists: Sequence[Batch]) -> Batch:
    """The requested rows, from the lists of all specs."""
    if plan.keys is None:
        return lists[0]
    if plan.needs_full_rows:
        return lists[0]
    if plan.match == "all":
        return lists[0].having(plan.columns)
    if plan.every_row:
        return merge_by_step(lists, (*plan.keys, STEP))
    return merge_by_step(lists, plan.keys).having(plan.required)
