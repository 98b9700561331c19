"""Runs that log while a scan of them is checked, on a server that sends at most four rows at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.unit.resources.history_server import next_rows, planned, wanted
from tests.unit.resources.quirks import QuirkyRun, ServerQuirks, rows_at
from tests.unit.transport.stepping import served

from runql.resources.history.cursor import ScanCursor
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.transport.sample_limits import SampleLimits

CAPPED = ServerQuirks(cap=4)


def growing(steps: Sequence[int], at_first: int, rare: int = 1, **more: int | None) -> QuirkyRun:
    """A run of which so many rows are there at first, and one more before each further request."""
    rows = rows_at(steps, rare)
    server = QuirkyRun(rows[:at_first], quirks=CAPPED, state="running", **more)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] — counts only
    server.arriving = [[row] for row in rows[at_first:]]
    return server


@pytest.mark.parametrize(
    ("server", "plan"),
    [
        pytest.param(
            growing(range(7), 4, 2, lag=5),
            planned(keys=["loss", "acc"], match="any", page_size=7, max_step=60),
            id="the steps of all rows arrived before there were more of them",
        ),
        pytest.param(
            growing(range(3, 26), 20, lag=5, uncounted=None),
            planned(keys=["loss"], page_size=5, min_step=20),
            id="windows lie beyond the last step that the server reports",
        ),
        pytest.param(
            growing(range(13), 5, uncounted=3),
            planned(page_size=5),
            id="the line count lags behind the rows",
        ),
        pytest.param(
            growing(range(13), 5, uncounted=None, lag=None),
            planned(page_size=5),
            id="nothing is counted",
        ),
    ],
)
def test_every_row_comes_once(server: QuirkyRun, plan: ScanPlan) -> None:
    cursor = ScanCursor(plan, HistoryHints(), limits=SampleLimits(least=8), streams=True)
    read: list[Row] = []
    while (rows := served(next_rows(cursor), server.answer)) is not None:
        read += rows
    assert read == wanted(server.rows, plan)
