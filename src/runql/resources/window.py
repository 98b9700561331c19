"""One window of a scan: a range of steps, the request for its rows, and what the answer tells besides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runql.frames.batches import Batch, step_of, united
from runql.frames.row_readers import RowReader
from runql.resources import sampled
from runql.resources.export_listing import LIVE_ROWS, ExportListing, listing_of
from runql.resources.history import rows_of_spec
from runql.resources.identity import require_run
from runql.resources.scan import ScanPlan
from runql.transport.flow import Flow, fetch, fetch_cut, fetch_texts
from runql.values import JSONValue, as_json
from runql_graphql.operations import scan_history

if TYPE_CHECKING:
    from runql_graphql.fragments import HistoryWindow
    from runql_graphql.scan_history import ScanHistoryProject


@dataclass(frozen=True, slots=True)
class Window:
    """What the server answered to one window.

    Attributes:
        batch: the rows that were asked for, in step order.
        first: the lowest step of what was answered; the window's start when nothing was.
        last: the highest one; the step before the window's start when nothing was.
        most: rows that the longest of the answers holds.
        line_count: rows in the whole history, where the server tells it.
        last_step: the highest step that the server tells of, where it was asked and does.
        key_counts: in how many rows each key is, where the server was asked and tells it.
        exports: of the run, where the server was asked for them.
    """

    batch: Batch
    first: int
    last: int
    most: int
    line_count: int | None
    last_step: int | None
    key_counts: Mapping[str, int] | None
    exports: ExportListing | None = None


def read_window(
    plan: ScanPlan,
    start: int,
    stop: int | None,
    reader: RowReader,
    *,
    with_keys: bool = False,
    with_exports: bool = False,
) -> Flow[Window]:
    """Ask for the rows of ``start <= step < stop``; one request.

    Up to ``page_size + 1`` rows are asked for, which is one more than a window should hold: an answer with exactly this
    many may be thinned, any other is whole.
    """
    operation = scan_history(
        entity=plan.entity,
        project=plan.project,
        run=plan.run,
        min_step=start,
        max_step=stop,
        samples=plan.page_size + 1,
        specs=specs_of(plan, start, stop),
        whole=plan.keys is None,
        chosen=plan.keys is not None,
        with_keys=with_keys,
        with_exports=with_exports,
    )
    if plan.keys is None and not with_exports:
        whole, size = yield from fetch_texts(operation, "history")
        run = found_run(plan, whole.project)
        return _window([reader.read(run.history or [], size)], plan, run, start, stop, None)
    answer, texts = yield from fetch_cut(operation, *([] if plan.keys is None else [sampled.CUT]), LIVE_ROWS)
    run = found_run(plan, answer.project)
    if plan.keys is None:
        answers = [reader.read(run.history or [])]
    else:
        (text,) = sampled.text_of_each(texts, 1)
        answers = sampled.rows_by_spec(run.sampled_history or [], text, len(asked_keys(plan)), reader)
    return _window(answers, plan, run, start, stop, listing_of(run, texts))


def read_steps(plan: ScanPlan, start: int, stop: int, samples: int) -> Flow[tuple[list[int], bool]]:
    """The steps of the rows of ``start <= step < stop``, rising, and whether some may be missing; one request.

    None is missing where fewer than ``samples`` rows are answered.
    """
    spec = {"keys": ["_step"], "samples": samples, "minStep": start, "maxStep": stop}
    answer = yield from fetch(
        scan_history(
            entity=plan.entity,
            project=plan.project,
            run=plan.run,
            min_step=start,
            max_step=stop,
            samples=samples,
            specs=[json.dumps(spec)],
            whole=False,
            chosen=True,
            with_keys=False,
            with_exports=False,
        )
    )
    rows = rows_of_spec(found_run(plan, answer.project).sampled_history or [], 0)
    steps = {step for row in rows if (step := step_of(row)) is not None and start <= step < stop}
    return sorted(steps), len(rows) >= samples


def last_step(history_keys: JSONValue) -> int | None:
    """`historyKeys.lastStep`; None when it is missing or the server has none (-1)."""
    step = history_keys.get("lastStep") if isinstance(history_keys, dict) else None
    return int(step) if isinstance(step, (int, float)) and step >= 0 else None


def key_counts(history_keys: JSONValue) -> dict[str, int] | None:
    """In how many rows each key is, by `historyKeys.keys`; None when the server does not tell."""
    keys = history_keys.get("keys") if isinstance(history_keys, dict) else None
    return {key: _count(told) for key, told in keys.items()} if isinstance(keys, dict) and keys else None


def found_run(plan: ScanPlan, project: ScanHistoryProject | None) -> HistoryWindow:
    """The run that was asked for.

    Raises:
        ProjectNotFoundError: there is no such project.
        RunNotFoundError: there is no such run in it.
    """
    return require_run(project, plan.entity, plan.project, plan.run)


def _window(
    answers: Sequence[Batch],
    plan: ScanPlan,
    run: HistoryWindow,
    start: int,
    stop: int | None,
    exports: ExportListing | None,
) -> Window:
    extents = [answer.extent() or (start, start) for answer in answers if answer.height]
    first = min((low for low, _ in extents), default=start)
    last = max((high for _, high in extents), default=start - 1)
    batch = rows_asked_for(plan, answers)
    if first < start or (stop is not None and last >= stop):
        batch = batch.between(start, stop)
    told = as_json(run.history_keys)
    most = max(answer.height for answer in answers)
    return Window(
        batch,
        first,
        last,
        most,
        run.history_line_count,
        last_step(told),
        key_counts(told),
        exports,
    )


def asked_keys(plan: ScanPlan) -> list[tuple[str, ...]]:
    """The keys of each spec: one for the rows that have all, one a key for those that have any."""
    if plan.keys is None:
        return []
    return [plan.columns] if plan.match == "all" else [("_step", key) for key in plan.keys]


def specs_of(plan: ScanPlan, start: int, stop: int | None) -> list[str]:
    """What is asked of `sampledHistory`, see `asked_keys`."""
    # A spec's maxStep is inclusive where history's is exclusive. It is sent as if it were exclusive, and the row of
    # the border is dropped here: right on servers of either kind.
    bounds = {"minStep": start} | ({} if stop is None else {"maxStep": stop})
    return [
        json.dumps({"keys": list(dict.fromkeys(keys)), "samples": plan.page_size + 1, **bounds})
        for keys in asked_keys(plan)
    ]


def rows_asked_for(plan: ScanPlan, answers: Sequence[Batch]) -> Batch:
    """The rows that were asked for, of the answers to all specs."""
    if plan.keys is None:
        return answers[0]
    return answers[0].having(plan.columns) if plan.match == "all" else united(answers, plan.keys)


def _count(told: JSONValue) -> int:
    kinds = told.get("typeCounts") if isinstance(told, dict) else None
    counts = (
        [kind.get("count") for kind in kinds if isinstance(kind, dict)] if isinstance(kinds, list) else []
    )
    return sum(count for count in counts if isinstance(count, int))
