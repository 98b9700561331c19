"""A scan returns every row once, in order, ends, and sends no more than its windows plus one.

Windows are the ranges of `page_size` steps between the first step asked for and the last row's, that one included.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples
from tests.unit.resources.history_server import (
    RunOnServer,
    acquainted,
    planned,
    scanned,
    step_of,
    wanted,
    windows,
)
from tests.unit.transport.stepping import served

from runql.frames.batches import Batch
from runql.frames.row_readers import ColumnReader, RowReader
from runql.frames.table import TableBuilder
from runql.resources.history.cursor import ScanCursor
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.history.scan import read_batches
from runql.transport.sample_limits import SampleLimits
from runql.values import JSONValue

KEYS = ("loss", "acc", "_runtime")
HISTOGRAM: JSONValue = {"_type": "histogram"}
VALUES: st.SearchStrategy[JSONValue] = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, width=32),
    st.sampled_from(["text", ""]),
    st.just(HISTOGRAM),
)


@st.composite
def histories(draw: st.DrawFn, most: int = 40) -> list[Row]:
    """Rows in step order: dense or sparse, some steps written as floats, keys missing or null here and there."""
    gap = draw(st.sampled_from([1, 1, 2, 7, 1000]))
    steps = sorted(draw(st.sets(st.integers(0, most), max_size=most)))
    spelled = draw(st.sampled_from([int, int, float]))
    rows: list[Row] = []
    for step in steps:
        values = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=len(KEYS)))
        rows.append({"_step": spelled(step * gap), **values})
    return rows


@st.composite
def plans(draw: st.DrawFn) -> ScanPlan:
    first = draw(st.none() | st.integers(0, 60))
    end = draw(st.none() | st.integers(first or 0, draw(st.sampled_from([300, 50_000]))))
    return planned(
        keys=draw(st.none() | st.lists(st.sampled_from((*KEYS, "_step")), unique=True, min_size=1)),
        match=draw(st.sampled_from(["all", "any"])),
        page_size=draw(st.integers(1, 25)),
        min_step=first,
        max_step=end,
    )


@st.composite
def servers(draw: st.DrawFn, rows: list[Row], state: str | None, lag: int | None = 0) -> RunOnServer:
    return RunOnServer(
        rows,
        state=state,
        lag=lag,
        uncounted=draw(st.sampled_from([0, 0, None])),
        spec_includes_end=draw(st.booleans()),
        null_is_present=draw(st.booleans()),
    )


@st.composite
def some_hints(draw: st.DrawFn, rows: list[Row]) -> HistoryHints:
    """What a run knew of itself when it was listed: nothing, part of the truth, or the truth of an earlier time."""
    earlier = rows[: draw(st.integers(0, len(rows)))] if draw(st.booleans()) else rows
    last = int(step_of(earlier[-1])) if earlier else None
    return HistoryHints(
        last if draw(st.booleans()) else None,
        len(earlier) if draw(st.booleans()) else None,
    )


def tables_agree(read: Sequence[Batch], rows: Sequence[Row], plan: ScanPlan) -> bool:
    columns, expected = TableBuilder(), TableBuilder()
    for batch in read:
        columns.add(batch)
    expected.extend(rows)
    one, other = columns.build(leading=plan.columns), expected.build(leading=plan.columns)
    names = sorted(other.columns)
    return sorted(one.columns) == names and all(
        repr((one.columns[name].dtype, list(one.columns[name].values)))
        == repr((other.columns[name].dtype, list(other.columns[name].values)))
        for name in names
    )


@examples(150)
@given(st.data(), histories(), plans())
def test_a_frame_is_made_of_the_rows_that_iterating_gives(
    data: st.DataObject, rows: list[Row], plan: ScanPlan
) -> None:
    """Read as columns, several windows at once."""
    server = data.draw(servers(rows, "finished"))
    cursor = ScanCursor(plan, data.draw(some_hints(rows)), ColumnReader(few=0))
    read: list[Batch] = []
    while (batches := served(cursor.next_batches(ahead=None), server.answer)) is not None:
        read += batches
    assert tables_agree(read, wanted(rows, plan), plan)


@examples(80)
@given(st.data(), histories(), plans())
def test_a_new_client_pays_nothing_for_a_frame_of_a_run_that_is_counted(
    data: st.DataObject, rows: list[Row], plan: ScanPlan
) -> None:
    """Where counts are right, they are the proof. Iterating looks again at windows that have fewer rows than their share."""
    plan = replace(plan, keys=None, min_step=0, max_step=None)
    server = data.draw(servers(rows, "finished"))
    server.uncounted = 0
    last = int(step_of(rows[-1])) if rows else None
    hints = data.draw(
        st.sampled_from([HistoryHints(), HistoryHints(last, len(rows)), HistoryHints(None, len(rows))])
    )
    batches = served(read_batches(plan, hints, RowReader(), SampleLimits()), server.answer)
    assert tables_agree(batches, wanted(rows, plan), plan)
    assert server.requests <= windows(rows, plan) + 1


LAGS = st.none() | st.integers(0, 30) | st.just(10_000)


def exactly(rows: Sequence[Row]) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in rows]


@examples(80)
@given(st.data(), histories(), plans())
def test_a_finished_run_is_read_completely(data: st.DataObject, rows: list[Row], plan: ScanPlan) -> None:
    server = data.draw(servers(rows, "finished"))
    hints = data.draw(some_hints(rows))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(rows, plan))
    assert server.requests <= windows(rows, plan) + 1


@examples(80)
@given(st.data(), histories(), plans(), LAGS, st.sampled_from(["running", None, "pending"]))
def test_a_live_run_is_read_beyond_its_last_step(
    data: st.DataObject, rows: list[Row], plan: ScanPlan, lag: int | None, state: str | None
) -> None:
    server = data.draw(servers(rows, state, lag))
    hints = data.draw(some_hints(rows))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(rows, plan))
    assert server.requests <= windows(rows, plan) + 1


@examples(80)
@given(st.data(), histories(), plans(), LAGS)
def test_a_run_that_just_ended_is_read_beyond_its_last_step(
    data: st.DataObject, rows: list[Row], plan: ScanPlan, lag: int | None
) -> None:
    server = data.draw(servers(rows, "crashed", lag))
    hints = data.draw(some_hints(rows))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(rows, plan))
    assert server.requests <= windows(rows, plan) + 1


@examples(80)
@given(st.data(), histories(), plans(), LAGS, st.integers(1, 50))
def test_a_line_count_that_lags_loses_nothing(
    data: st.DataObject, rows: list[Row], plan: ScanPlan, lag: int | None, uncounted: int
) -> None:
    server = RunOnServer(rows, "running", lag, uncounted, spec_includes_end=data.draw(st.booleans()))
    hints = data.draw(some_hints(rows))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(rows, plan))
    assert server.requests <= windows(rows, plan) + 1


@examples(80)
@given(st.data(), histories(), plans(), LAGS, st.sampled_from(["running", "finished"]))
def test_rows_that_arrive_meanwhile_come_in_order_and_none_before_them_is_lost(
    data: st.DataObject, rows: list[Row], plan: ScanPlan, lag: int | None, state_then: str
) -> None:
    """Whatever is there when the last request is answered is read; each arrival may cost one request more."""
    borders = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=2, max_size=6)))
    arriving = [rows[start:end] for start, end in pairwise(borders)]
    at_first = rows[: borders[0]]
    server = data.draw(servers(at_first, "running", lag))
    server.arriving = arriving
    server.state_then = state_then
    hints = data.draw(some_hints(at_first))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(server.rows, plan))
    growths = sum(1 for part in arriving if part)
    assert server.requests <= windows(server.rows, plan) + 1 + growths


@examples(80)
@given(st.data(), histories(), plans(), LAGS, st.integers(1, 50))
def test_a_line_count_that_is_too_high_costs_one_request_more(
    data: st.DataObject, rows: list[Row], plan: ScanPlan, lag: int | None, too_many: int
) -> None:
    """Lines may be counted that are gone, or not there yet: the scan makes sure once that it missed none."""
    server = RunOnServer(rows, "finished", lag, -too_many, spec_includes_end=data.draw(st.booleans()))
    hints = data.draw(some_hints(rows))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(rows, plan))
    assert server.requests <= windows(rows, plan) + 2


@examples(80)
@given(st.data(), histories(), plans(), LAGS, st.sampled_from(["running", "finished"]))
def test_a_server_that_drops_the_ends_when_it_thins_costs_requests_but_no_rows(
    data: st.DataObject, rows: list[Row], plan: ScanPlan, lag: int | None, state: str
) -> None:
    """No bound but that it ends: such a server never says how far the run goes."""
    server = data.draw(servers(rows, state, lag))
    server.keeps_ends = False
    hints = data.draw(some_hints(rows))
    assert exactly(scanned(plan, hints, server, acquainted())) == exactly(wanted(rows, plan))
