"""How many rows the windows of a frame hold."""

from __future__ import annotations

import pytest
from tests.unit.resources.history_server import RunOnServer, acquainted, planned
from tests.unit.transport.stepping import served

from runql.arguments import DEFAULT_PAGE_SIZE, DefaultPageSize
from runql.frames.row_readers import RowReader
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.history.scan import read_batches
from runql.resources.history.window_size import CELL_BYTES, MOST_BYTES, MOST_ROWS, WindowSize


def learned(plan: ScanPlan, width: int) -> WindowSize:
    size = WindowSize(plan)
    size.learn(10, 10 * width, columns=1)
    return size


def test_the_default_is_the_documented_number() -> None:
    assert DEFAULT_PAGE_SIZE == 1000
    assert repr(DEFAULT_PAGE_SIZE) == "1000"
    plan = planned(page_size=DEFAULT_PAGE_SIZE)
    assert plan.adapts_size
    assert type(plan.page_size) is int


def test_a_size_that_the_caller_named_stays() -> None:
    size = learned(planned(page_size=1000), width=1)
    size.fit(1_000_000)
    assert (size.rows, size.is_open) == (1000, False)


@pytest.mark.parametrize(
    ("width", "left", "rows"),
    [
        # As many rows as fit the bytes of a window, in windows of one size.
        (400, 200_000, 12_500),
        (MOST_BYTES // 10_000, 1_000_000, 10_000),
        # Few bytes a row: the rows of a window have a limit of their own.
        (1, 100 * MOST_ROWS, MOST_ROWS),
        # As many windows as run at once, and no more than windows of the hint are.
        (10, 20_000, 2_500),
        (10, 3_500, 1000),
        (10, 0, 1000),
        # Wide rows: never smaller than the hint.
        (MOST_BYTES, 200_000, 1000),
    ],
)
def test_the_size_follows_from_the_rows_left_and_their_width(width: int, left: int, rows: int) -> None:
    size = learned(planned(page_size=DEFAULT_PAGE_SIZE), width)
    size.fit(left)
    assert size.rows == rows


def test_the_widest_rows_count_and_without_rows_a_guess() -> None:
    size = WindowSize(planned(page_size=DEFAULT_PAGE_SIZE))
    assert size.is_open
    size.fit(1_000_000)
    assert size.rows == 1000
    size.learn(0, 2, columns=10)
    assert not size.is_open
    size.fit(1_000_000)
    guessed = size.rows
    assert guessed == pytest.approx(MOST_BYTES / (CELL_BYTES * 10), rel=0.1)
    size.learn(10, 10 * 10_000, columns=10)
    size.learn(10, 10, columns=10)
    size.fit(1_000_000)
    assert size.rows == 1000 < guessed / 10


@pytest.mark.parametrize("gap", [1, 100])
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_a_frame_takes_fewer_requests_than_windows_of_the_hint(keys: list[str] | None, gap: int) -> None:
    rows: list[Row] = [{"_step": gap * step, "loss": step / 3} for step in range(2_000)]
    requests: dict[bool, int] = {}
    for adapts in (False, True):
        server = RunOnServer(rows)
        plan = planned(keys=keys, page_size=DefaultPageSize(20) if adapts else 20)
        hints = HistoryHints(last_step=gap * 2_000 - gap, line_count=2_000)
        batches = served(read_batches(plan, hints, RowReader(), acquainted()), server.answer)
        assert [row["_step"] for batch in batches for row in batch.to_rows()] == [
            row["_step"] for row in rows
        ]
        requests[adapts] = server.requests
    assert requests[False] >= 100
    # The rows by eight windows at once; before them one that shows their width, and where they are sparse the steps of
    # all. Keys take the border of each window, too.
    assert requests[True] <= (9 if gap == 1 else 12)


def test_windows_at_the_same_time_have_bounded_bytes() -> None:
    wide, narrow = (learned(planned(page_size=DEFAULT_PAGE_SIZE), width) for width in (400, 10))
    wide.fit(200_000)
    narrow.fit(20_000)
    assert (wide.at_once, narrow.at_once) == (3, 8)
    assert learned(planned(page_size=1000), width=MOST_BYTES).at_once == 8
