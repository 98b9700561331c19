"""Whatever a server does with ``samples``: all rows, each once, or an error that says how many are missing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.profiles import examples
from tests.property.test_scan import tables_agree
from tests.unit.resources.histories_server import batches_of, parts_of, planned_list, wanted_of_all
from tests.unit.resources.history_server import RunOnServer, next_rows, planned, wanted, windows
from tests.unit.resources.quirks import QuirkyList, QuirkyRun, ServerQuirks, rows_at
from tests.unit.transport.stepping import served

from runql.arguments import DefaultPageSize
from runql.errors import IncompleteHistoriesError, IncompleteHistoryError
from runql.frames.row_readers import ColumnReader, RowReader
from runql.resources.history.cursor import ScanCursor
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.history.scan import read_batches
from runql.resources.runs.histories.collect import read_histories, sink_histories
from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.histories.page_budget import PageBudget
from runql.resources.runs.histories.sampled import rows_of
from runql.transport.sample_limits import SampleLimits


@st.composite
def all_quirks(draw: st.DrawFn) -> ServerQuirks:
    return ServerQuirks(
        cap=draw(st.none() | st.integers(4, 60)),
        share=draw(st.sampled_from([1, 1, 0.95])),
        jitter=draw(st.sampled_from([0, 0, 0.05])),
        mixes=draw(st.booleans()),
        refuses=draw(st.none() | st.none() | st.integers(20, 100)),
        refusal=draw(st.sampled_from(["graphql", "400", "500"])),
    )


@st.composite
def long_histories(draw: st.DrawFn) -> list[Row]:
    """Dense, dense with gaps, evenly sparse, or dense here and sparse there."""
    count = draw(st.integers(0, 200))
    first = draw(st.sampled_from([0, 0, 3, 500]))
    match draw(st.sampled_from(["dense", "gaps", "even", "uneven"])):
        case "dense":
            steps = [*range(count)]
        case "gaps":
            missing = draw(st.sets(st.integers(0, 200), max_size=20))
            steps = [step for step in range(count) if step not in missing]
        case "even":
            gap = draw(st.sampled_from([2, 3, 7, 100]))
            steps = [gap * place for place in range(count)]
        case _:
            gap = draw(st.sampled_from([2, 5, 50]))
            half = count // 2
            steps = [*range(half), *(half + gap * place for place in range(count - half))]
    return rows_at([first + step for step in steps], draw(st.sampled_from([1, 2, 7])))


@st.composite
def runs(draw: st.DrawFn, quirks: ServerQuirks) -> QuirkyRun:
    return QuirkyRun(
        draw(long_histories()),
        lag=draw(st.sampled_from([0, 0, 0, 5, None])),
        uncounted=draw(st.sampled_from([0, 0, 0, 3, -3, 40, -40, None])),
        miscounted=draw(st.sampled_from([0, 0, 0, 3, -3])),
        spec_includes_end=draw(st.booleans()),
        quirks=quirks,
    )


@st.composite
def plans(draw: st.DrawFn) -> ScanPlan:
    first = draw(st.sampled_from([None, None, None, 1, 20]))
    return planned(
        keys=draw(st.sampled_from([None, None, ["loss"], ["acc"], ["loss", "acc"], ["_step"]])),
        match=draw(st.sampled_from(["all", "any"])),
        page_size=draw(
            st.integers(5, 80).flatmap(lambda size: st.sampled_from([size, DefaultPageSize(size)]))
        ),
        min_step=first,
        max_step=draw(st.sampled_from([None, None, None, 60, 150])),
    )


def exactly(rows: Sequence[Row]) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in rows]


def limits_for(_quirks: ServerQuirks) -> SampleLimits:
    """A new client's; it asks for less than a real one before it gives up."""
    return SampleLimits(least=8)


def not_deceived(server: QuirkyRun, read: Sequence[Row], plan: ScanPlan) -> None:
    """Leave out the case that the server reported a wrong count of just as many rows as arrived, which no client can see."""
    assume(not server.deceives)
    # A spec's maxStep is inclusive: the row there came as well, and was left out by the scan.
    borders = (0,) if plan.keys is None or plan.max_step is None else (0, 1)
    for border in borders:
        assume((None, len(read) + border) not in server.wrong_counts)
        for key in ("_step", *(plan.keys or ())):
            assume((key, sum(key in row for row in read) + border) not in server.wrong_counts)


def bound(server: RunOnServer, plan: ScanPlan, quirks: ServerQuirks) -> int:
    """A handful for each window that the server's limits leave room for."""
    least = quirks.kept(min(plan.page_size, quirks.refuses or 1000))
    return 60 + 16 * (windows(server.rows, plan) + len(server.rows) // least)


@examples(160)
@given(st.data(), all_quirks(), plans())
def test_iterating_gives_every_row_or_says_so(
    data: st.DataObject, quirks: ServerQuirks, plan: ScanPlan
) -> None:
    server = data.draw(runs(quirks))
    expected = wanted(server.rows, plan)
    cursor = ScanCursor(plan, HistoryHints(), limits=limits_for(quirks), streams=True)
    read: list[Row] = []
    ahead = data.draw(st.sampled_from([1, 2, 8]))
    error: IncompleteHistoryError | None = None
    try:
        while (rows := served(next_rows(cursor, ahead), server.answer)) is not None:
            read += rows
    except IncompleteHistoryError as caught:
        error = caught
    if error is not None:
        assert len(read) == error.found < len(expected) or plan.keys is not None
        assert error.expected is None or server.uncounted or server.miscounted or error.found < error.expected
    else:
        if len(read) < len(expected):
            not_deceived(server, read, plan)
        assert exactly(read) == exactly(expected)
    assert server.requests <= bound(server, plan, quirks)


@examples(160)
@given(st.data(), all_quirks(), plans())
def test_a_frame_has_every_row(data: st.DataObject, quirks: ServerQuirks, plan: ScanPlan) -> None:
    server = data.draw(runs(quirks))
    reader = data.draw(st.sampled_from([RowReader(), ColumnReader(few=0)]))
    batches = served(read_batches(plan, HistoryHints(), reader, limits_for(quirks)), server.answer)
    expected = wanted(server.rows, plan)
    if sum(batch.height for batch in batches) < len(expected):
        not_deceived(server, rows_of(batches), plan)
    assert tables_agree(batches, expected, plan)
    assert server.requests <= bound(server, plan, quirks)


@examples(160)
@given(st.data(), all_quirks(), plans())
def test_a_client_that_knows_the_server_loses_nothing_either(
    data: st.DataObject, quirks: ServerQuirks, plan: ScanPlan
) -> None:
    limits = limits_for(quirks)
    for _ in range(3):
        server = data.draw(runs(quirks))
        batches = served(read_batches(plan, HistoryHints(), RowReader(), limits), server.answer)
        expected = wanted(server.rows, plan)
        if sum(batch.height for batch in batches) < len(expected):
            not_deceived(server, rows_of(batches), plan)
        assert tables_agree(batches, expected, plan)


@examples(160)
@given(st.data(), all_quirks(), plans())
def test_of_a_run_that_grows_nothing_is_left_out(
    data: st.DataObject, quirks: ServerQuirks, plan: ScanPlan
) -> None:
    server = data.draw(runs(quirks))
    later = server.rows
    server.rows = later[: data.draw(st.integers(0, len(later)))]
    before = wanted(server.rows, plan)
    server.arriving = [[row] for row in later[len(server.rows) :]]
    server.state = "running"
    cursor = ScanCursor(plan, HistoryHints(), limits=limits_for(quirks), streams=True)
    read: list[Row] = []
    error: IncompleteHistoryError | None = None
    try:
        while (rows := served(next_rows(cursor), server.answer)) is not None:
            read += rows
    except IncompleteHistoryError as caught:
        error = caught
    if error is not None:
        assert error.run == "e/p/r"
    else:
        after = wanted(server.rows, plan)
        if exactly(read) != exactly(after)[: len(read)] or len(read) < len(before):
            not_deceived(server, read, plan)
        assert exactly(read) == exactly(after)[: len(read)]
        assert len(read) >= len(before)


def none_deceived(server: QuirkyList, found: Sequence[Row], plan: HistoriesPlan) -> None:
    """As `not_deceived`, of each run that lacks rows."""
    for name, run in server.runs.items():
        read = [row for row in found if row["run_id"] == name]
        if len(read) < len(wanted(run.rows, plan.scan)):
            assert isinstance(run, QuirkyRun)
            not_deceived(run, read, plan.scan)


@st.composite
def lists(draw: st.DrawFn, quirks: ServerQuirks) -> QuirkyList:
    count = draw(st.integers(0, 6))
    return QuirkyList({f"run{place}": draw(runs(quirks)) for place in range(count)}, quirks=quirks)


@st.composite
def list_plans(draw: st.DrawFn) -> HistoriesPlan:
    scan = draw(plans())
    return planned_list(
        per_page=draw(st.integers(1, 4)),
        keys=scan.keys,
        match=scan.match,
        page_size=scan.page_size,
        min_step=scan.min_step,
        max_step=scan.max_step,
    )


@examples(160)
@given(st.data(), all_quirks(), list_plans(), st.booleans())
def test_a_list_gives_every_row_of_every_run(
    data: st.DataObject, quirks: ServerQuirks, plan: HistoriesPlan, bounded: bool
) -> None:
    server = data.draw(lists(quirks))
    budget = PageBudget(plan.query.per_page, plan.scan.page_size, first_rows=100)
    parts, cursor = parts_of(plan, server.answer, bounded=bounded, budget=budget, limits=limits_for(quirks))
    expected = wanted_of_all(dict(server.runs), plan)
    if cursor.unread.reasons:
        assert bounded
        expected = [row for row in expected if row["run_id"] not in cursor.unread.reasons]
        found = [row for row in rows_of(batches_of(parts)) if row["run_id"] not in cursor.unread.reasons]
    else:
        found = rows_of(batches_of(parts))
    none_deceived(server, found, plan)
    assert exactly(found) == exactly(expected)
    assert server.requests <= 40 + sum(bound(run, plan.scan, quirks) for run in server.runs.values())


@examples(60)
@given(st.data(), all_quirks(), list_plans())
def test_collecting_and_sinking_agree(data: st.DataObject, quirks: ServerQuirks, plan: HistoriesPlan) -> None:
    server = data.draw(lists(quirks))
    expected = wanted_of_all(dict(server.runs), plan)
    collected = served(read_histories(plan, RowReader(), limits_for(quirks)), server.answer)
    none_deceived(server, rows_of(collected.batches), plan)
    assert exactly(rows_of(collected.batches)) == exactly(expected)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "all.parquet"
        try:
            served(sink_histories(plan, RowReader(), target, "s", limits_for(quirks)), server.answer)
        except IncompleteHistoriesError:
            assert not target.exists()
        else:
            assert pq.read_metadata(target).num_rows == len(expected)  # pyright: ignore[reportUnknownMemberType] — the stubs leave out a type
