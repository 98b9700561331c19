"""Every row of a run, window by window."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face, Row
from tests.contract.sample_facts import CRASHED, DENSE, DIVERGED, DIVERGING, FINISHED, RARE, RUNNING, a_run
from tests.contract.world import World

from runql import JSONValue
from runql.resources.history.plan import Match
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

FIRST, END = 5, 16
SIZES = (1, 2, 7, 1000)


@pytest.fixture
def run(api: AnyApi, face: Face, sampled: World) -> AnyRun:
    return a_run(face, api, sampled)


def step_of(row: Row) -> int:
    step = row["_step"]
    assert isinstance(step, int | float)
    return int(step)


def steps(rows: list[Row]) -> list[int]:
    return [step_of(row) for row in rows]


@pytest.mark.parametrize("size", SIZES)
def test_windows_of_any_size_hold_each_row_once(size: int, run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    rows = face.items(run.scan_history(page_size=size, min_step=FIRST, max_step=END))
    assert steps(rows) == list(range(FIRST, END))
    assert api.traffic.requests - before <= math.ceil((END - FIRST) / size) + 1
    unwindowed = face.take(run.history(END, pandas=False))
    assert {step_of(row) for row in unwindowed if step_of(row) == 0} == {0}
    assert all(row in rows for row in unwindowed if FIRST <= step_of(row) < END)


def test_a_scan_has_every_row(run: AnyRun, api: AnyApi, face: Face) -> None:
    rows = face.items(run.scan_history([DENSE]))
    assert api.traffic.requests == 2
    assert steps(rows) == list(range(len(rows)))
    assert len(rows) == run.history_line_count
    assert step_of(rows[-1]) == face.take(run.lastHistoryStep)


@pytest.mark.parametrize(
    "filters", [FINISHED, CRASHED, RUNNING, DIVERGED], ids=["finished", "crashed", "running", "diverged"]
)
def test_a_scan_reaches_the_end_of_every_kind_of_run(
    filters: dict[str, JSONValue], api: AnyApi, face: Face, sampled: World
) -> None:
    run = a_run(face, api, sampled, filters)
    last = face.take(run.lastHistoryStep)
    rows = face.items(run.scan_history(min_step=last - 20))
    assert steps(rows) == list(range(last - 20, last + 1))
    assert api.traffic.requests <= 2 + 2


def test_windows_together_are_the_whole(run: AnyRun, face: Face) -> None:
    whole = face.items(run.scan_history([DENSE], page_size=100_000))
    third = len(whole) // 3
    bounds = [None, third, 2 * third, None]
    parts = [
        row
        for low, high in pairwise(bounds)
        for row in face.items(run.scan_history([DENSE], page_size=100_000, min_step=low, max_step=high))
    ]
    assert parts == whole


def test_keys_give_exactly_the_rows_that_have_all_of_them(run: AnyRun, face: Face) -> None:
    whole = face.items(run.scan_history(max_step=30))
    both = face.items(run.scan_history([DENSE, RARE], max_step=30))
    wanted = [
        {key: row[key] for key in ("_step", DENSE, RARE)} for row in whole if DENSE in row and RARE in row
    ]
    assert both == wanted
    assert 0 < len(both) < len(whole)


def test_any_gives_the_rows_that_have_at_least_one(run: AnyRun, face: Face) -> None:
    whole = face.items(run.scan_history(max_step=30))
    either = face.items(run.scan_history([RARE, DENSE], max_step=30, match="any"))
    assert either == [
        {key: row[key] for key in row if key in {"_step", DENSE, RARE}}
        for row in whole
        if DENSE in row or RARE in row
    ]


@pytest.mark.parametrize("size", [7, 25])
@pytest.mark.parametrize("match", get_args(Match))
def test_keys_in_windows_of_any_size_give_the_same(
    size: int, match: Match, run: AnyRun, api: AnyApi, face: Face
) -> None:
    once = face.items(run.scan_history([RARE, DENSE], max_step=50, match=match))
    before = api.traffic.requests
    windowed = face.items(run.scan_history([RARE, DENSE], max_step=50, match=match, page_size=size))
    assert windowed == once
    assert api.traffic.requests - before <= math.ceil(50 / size) + 1


def test_a_key_that_is_never_logged_gives_no_rows(run: AnyRun, face: Face) -> None:
    assert face.items(run.scan_history(["never/logged"])) == []
    assert face.take(run.scan_history(["never/logged"]).to_polars()).height == 0


def test_an_empty_range_gives_no_rows_and_asks_for_none(run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    assert face.items(run.scan_history(min_step=3, max_step=3)) == []
    assert api.traffic.requests == before


def test_a_scan_starts_anew_each_time_it_is_iterated(run: AnyRun, api: AnyApi, face: Face) -> None:
    scan = run.scan_history([RARE], max_step=40)
    first = face.items(scan)
    sent = api.traffic.requests
    assert face.items(scan) == first
    assert face.items(scan, 2) == first[:2]
    assert api.traffic.requests == 1 + 3 * (sent - 1)


def test_rows_come_while_the_scan_is_read(run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    assert len(face.items(run.scan_history(page_size=5), 3)) == 3
    assert api.traffic.requests == before + 1


def test_frames_of_every_library_hold_the_same_rows(run: AnyRun, api: AnyApi, face: Face) -> None:
    scan = run.scan_history([DENSE, RARE], max_step=30, match="any")
    rows = face.items(scan)
    polars, pandas, arrow = (
        face.take(scan.to_polars()),
        face.take(scan.to_pandas()),
        face.take(scan.to_arrow()),
    )
    assert isinstance(polars, pl.DataFrame)
    assert isinstance(pandas, pd.DataFrame)
    assert isinstance(arrow, pa.Table)
    assert polars.columns == list(pandas.columns) == arrow.column_names == ["_step", DENSE, RARE]
    expected = [{"_step": row["_step"], DENSE: row.get(DENSE), RARE: row.get(RARE)} for row in rows]
    assert polars.to_dicts() == expected
    assert arrow.to_pylist() == expected
    assert list(pandas["_step"]) == steps(rows)


def test_a_diverging_run_has_its_nan(api: AnyApi, face: Face, sampled: World) -> None:
    run = a_run(face, api, sampled, DIVERGED)
    scan = run.scan_history([DIVERGING], max_step=200)
    values = [value for row in face.items(scan) if isinstance(value := row[DIVERGING], float)]
    assert len(values) == 200
    assert any(math.isnan(value) for value in values)
    frame = face.take(scan.to_polars())
    assert frame[DIVERGING].dtype == pl.Float64
    assert frame[DIVERGING].null_count() == 0
    assert frame[DIVERGING].is_nan().sum() == sum(math.isnan(value) for value in values)


SPELLED = ("NaN", '"NaN"', "Infinity", '"Infinity"', "-Infinity", '"-Infinity"', "1", "2.5", "null")


@pytest.mark.parametrize("keys", [None, ["loss"]], ids=["whole", "keys"])
def test_infinities_are_floats_in_either_spelling(
    keys: list[str] | None, server: RunningServer, project: str, face: Face
) -> None:
    rows = [f'{{"_step": {step}, "loss": {text}}}' for step, text in enumerate(SPELLED)]
    server.seed(project, [SeedRun(name="r", history=rows)])
    run = face.take(face.api(server.url, server.api_key).run(f"{server.entity}/{project}/r"))
    numbers = [math.nan, math.nan, math.inf, math.inf, -math.inf, -math.inf, 1, 2.5]
    scanned = [row["loss"] for row in face.items(run.scan_history(keys, max_step=8))]
    assert repr(scanned) == repr(numbers)
    assert repr([row["loss"] for row in face.take(run.history(100, keys, pandas=False))][:8]) == repr(numbers)
    frame = face.take(run.scan_history(keys, max_step=8).to_polars())
    assert repr(frame["loss"].to_list()) == repr([float(number) for number in numbers])
    # null is no value: the row counts as one without the key.
    assert len(face.items(run.scan_history(keys))) == (9 if keys is None else 8)
