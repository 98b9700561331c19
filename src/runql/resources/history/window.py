"""One window of a scan: a range of steps, the request for its rows, and what the answer tells besides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runql.errors import IncompleteHistoryError
from runql.frames.batches import Batch, RowBatch, united
from runql.frames.row_readers import RowReader
from runql.resources.history import chosen_rows as sampled
from runql.resources.history.chosen_rows import readable, with_steps
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
    """What a window's rows are like, without the rows.

    Attributes:
        start: the first step.
        stop: the step before which the window ends; None where it has no end.
        samples: rows that were asked for in each list.
        heights: rows of each list that lie in the window.
        answered: rows of each list, those on the border included.
        first: the lowest step of what came; the window's start when nothing did.
        last: the highest one; the step before the window's start when nothing came.
        middle: the step of the middle row of the longest list; the start when nothing came.
        unbroken: of each list, the step before which it has exactly one row at each step of the window.
    """

    start: int
    stop: int | None
    samples: int
    heights: tuple[int, ...]
    answered: tuple[int, ...]
    first: int
    last: int
    middle: int
    unbroken: tuple[int, ...]

    @property
    def most(self) -> int:
        """Rows of the longest list."""
        return max(self.answered)

    def is_whole(self, end: int | None, bound: int) -> bool:
        """Whether no row can be missing from any list, as far as they show.

        Args:
            end: the step before which rows are wanted; None where that is not known.
            bound: rows that a list has at the least, give or take a few, when the server downsampled it.
        """
        return all(
            (end is not None and self.start < end <= unbroken) or is_far_below(rows, bound)
            for rows, unbroken in zip(self.answered, self.unbroken, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Window:
    """What the server sent for one window.

    Attributes:
        batch: the rows that were asked for, in step order.
        lists: what came of each spec, or the one list of whole rows.
        outline: what they are like.
        counts: what the server counts of the whole history.
        last_step: the highest step that the server reports, where it was asked and does.
        exports: of the run, where the server was asked for them.
        steps: of all rows of the run, where they were asked for; of some of them where there are many.
    """

    batch: Batch
    lists: Sequence[Batch]
    outline: Outline
    counts: RowCounts
    last_step: int | None
    exports: ExportListing | None = None
    steps: Batch | None = None

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
    """Ask for the rows of ``start <= step < stop``; one request.

    ``with_steps`` asks for the steps of all rows of the run besides.

    Raises:
        IncompleteHistoryError: the server sent null instead of rows.
        CorruptHistoryError: a row cannot be read.
    """
    specs = specs_of(plan, start, stop, samples) + ([steps_spec(samples)] if with_steps else [])
    operation = scan_history(
        entity=plan.entity,
        project=plan.project,
        run=plan.run,
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
        run = found_run(plan, whole.project)
        return _window(whole_rows(plan.path, run.history, reader, size), plan, run, start, stop, samples)
    cuts = [sampled.CUT, LIVE_ROWS] if specs else [LIVE_ROWS]
    answer, texts = yield from fetch_with_raw_lists(operation, *cuts, fail_fast=fail_fast)
    run = found_run(plan, answer.project)
    (text,) = sampled.text_of_each(texts, 1)
    chosen = chosen_rows(plan.path, run.sampled_history, text, len(specs), reader) if specs else []
    lists = chosen[: len(specs_of(plan, start, stop, samples))]
    if plan.keys is None:
        lists = whole_rows(plan.path, run.history, reader)
    window = _window(lists, plan, run, start, stop, samples)
    steps = chosen[-1] if with_steps else None
    return replace(window, exports=listing_of(run, texts), steps=steps)


def whole_rows(
    path: str, texts: Sequence[str] | None, reader: RowReader, size: int | None = None
) -> list[Batch | None]:
    """The one list of whole rows, in step order; None where the server sent null.

    Raises:
        CorruptHistoryError: a row cannot be read.
    """
    if texts is None:
        return [None]
    with readable(path):
        return [with_steps(path, reader.read(texts, size)).in_step_order()]


def chosen_rows(
    path: str, told: Sequence[object] | None, text: bytes | None, specs: int, reader: RowReader
) -> list[Batch | None]:
    """The list of rows of each spec, in step order; None where the server sent none.

    Raises:
        CorruptHistoryError: a row cannot be read.
    """
    with readable(path):
        lists = sampled.rows_by_spec(told, text, specs, reader)
    return [None if rows is None else with_steps(path, rows) for rows in lists]


def last_step(history_keys: JSONValue) -> int | None:
    """`historyKeys.lastStep`; None when it is missing or the server has none (-1)."""
    step = history_keys.get("lastStep") if isinstance(history_keys, dict) else None
    return int(step) if isinstance(step, (int, float)) and step >= 0 else None


def found_run(plan: ScanPlan, project: ScanHistoryProject | None) -> HistoryWindow:
    """The run that was asked for.

    Raises:
        ProjectNotFoundError: there is no such project.
        RunNotFoundError: there is no such run in it.
    """
    return require_run(project, plan.entity, plan.project, plan.run)


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
    answers = due(plan.path, lists, counts)
    outline = outlined(answers, start, stop, samples)
    batch = rows_asked_for(plan, answers)
    if outline.first < start or (stop is not None and outline.last >= stop):
        batch = batch.between(start, stop)
    return Window(batch, answers, outline, counts, last_step(history_keys))


def due(path: str, lists: Sequence[Batch | None], counts: RowCounts) -> list[Batch]:
    """The lists, none of which may be missing unless the run has no rows.

    Raises:
        IncompleteHistoryError: one is missing.
    """
    answers = [rows for rows in lists if rows is not None]
    if len(answers) == len(lists):
        return answers
    if counts.lines == 0:
        return [rows or RowBatch([]) for rows in lists]
    raise IncompleteHistoryError(path, 0, counts.lines, "the server sent null instead of rows")


def outlined(answers: Sequence[Batch], start: int, stop: int | None, samples: int) -> Outline:
    """What the lists of a window are like."""
    extents = [answer.extent() or (start, start) for answer in answers if answer.height]
    first = min((low for low, _ in extents), default=start)
    last = max((high for _, high in extents), default=start - 1)
    is_inside = first >= start and (stop is None or last < stop)
    inside = answers if is_inside else [answer.between(start, stop) for answer in answers]
    longest = max(answers, key=lambda answer: answer.height)
    return Outline(
        start,
        stop,
        samples,
        tuple(answer.height for answer in inside),
        tuple(answer.height for answer in answers),
        first,
        last,
        longest.step_at(longest.height // 2) or start if longest.height else start,
        tuple(_unbroken(answer, start) for answer in inside),
    )


def _unbroken(answer: Batch, start: int) -> int:
    extent = answer.extent()
    if extent is None or extent[0] != start or extent[1] - extent[0] + 1 != answer.height:
        return start
    return extent[1] + 1 if answer.has_each_step_once() else start


def asked_keys(plan: ScanPlan) -> list[tuple[str, ...]]:
    """The keys of each spec: one for the rows that have all, one a key for those that have any."""
    if plan.keys is None:
        return []
    return [plan.columns] if plan.match == "all" else [("_step", key) for key in plan.keys]


def specs_of(plan: ScanPlan, start: int, stop: int | None, samples: int) -> list[str]:
    """What is asked of `sampledHistory`, see `asked_keys`."""
    # A spec's maxStep is inclusive where history's is exclusive. It is sent as if it were exclusive, and the row of
    # the border is dropped here: right on servers of either kind.
    bounds = {"minStep": start} | ({} if stop is None else {"maxStep": stop})
    return [
        json.dumps({"keys": list(dict.fromkeys(keys)), "samples": samples, **bounds})
        for keys in asked_keys(plan)
    ]


def steps_spec(samples: int) -> str:
    """What asks `sampledHistory` for the steps of all rows of a run, or of so many of them."""
    return json.dumps({"keys": ["_step"], "samples": samples})


def rows_asked_for(plan: ScanPlan, answers: Sequence[Batch]) -> Batch:
    """The rows that were asked for, of the answers to all specs."""
    if plan.keys is None:
        return answers[0]
    return answers[0].having(plan.columns) if plan.match == "all" else united(answers, plan.keys)
