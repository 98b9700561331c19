"""Sampled rows of many runs at once."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest
from tests.contract.both_clients import AnyApi, AnyRuns, Face, Row
from tests.contract.sample_facts import DENSE, ONE_OF_EACH, RARE, SHORT_FAMILY
from tests.contract.world import World

from runql import JSONValue

SAMPLES = 3


@pytest.fixture
def runs(api: AnyApi, face: Face, sampled: World) -> AnyRuns:
    """The runs of one family, in two pages or more."""
    return face.take(api.runs(sampled.path, SHORT_FAMILY, per_page=5, lazy=True))


def without_id(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "run_id"}


def pages(runs: AnyRuns, face: Face) -> int:
    return -(-face.take(runs.length) // 5)


@pytest.mark.parametrize("keys", [None, [DENSE], [DENSE, RARE]], ids=["whole", "one", "two"])
def test_they_are_the_histories_of_each_run_in_list_order(
    keys: list[str] | None, runs: AnyRuns, api: AnyApi, face: Face
) -> None:
    together = face.take(runs.histories(SAMPLES, keys))
    sent = api.traffic.requests
    listed = face.items(runs)
    assert sent == pages(runs, face)
    assert list(dict.fromkeys(row["run_id"] for row in together)) == [run.id for run in listed]
    for run in (listed[0], listed[-1]):
        alone = face.take(run.history(SAMPLES, keys, pandas=False))
        assert [without_id(row) for row in together if row["run_id"] == run.id] == alone


def test_frames_hold_the_rows_of_the_list(runs: AnyRuns, face: Face) -> None:
    rows = face.take(runs.histories(SAMPLES, [DENSE]))
    polars = face.take(runs.histories(SAMPLES, [DENSE], format="polars"))
    pandas = face.take(runs.histories(SAMPLES, [DENSE], format="pandas"))
    assert isinstance(polars, pl.DataFrame)
    assert isinstance(pandas, pd.DataFrame)
    assert polars.columns == list(pandas.columns) == ["run_id", "_step", DENSE]
    # As text, because NaN equals nothing.
    assert repr(polars.rows()) == repr([tuple(row[column] for column in polars.columns) for row in rows])
    assert repr(pandas[DENSE].tolist()) == repr([row[DENSE] for row in rows])


def test_a_frame_of_several_families_has_the_union_of_their_columns(
    api: AnyApi, face: Face, sampled: World
) -> None:
    runs = face.take(api.runs(sampled.path, ONE_OF_EACH, per_page=1000, lazy=True))
    frame = face.take(runs.histories(2, format="polars"))
    rows = face.take(runs.histories(2))
    names = {key for row in rows for key in row}
    assert set(frame.columns) == names
    assert frame.columns[0] == "run_id"
    assert frame.columns[1:] == sorted(frame.columns[1:])
    assert not all(names == set(row) for row in rows)
    assert frame.height == len(rows)
    assert api.traffic.requests == 2


def test_the_axis_goes_along(runs: AnyRuns, face: Face) -> None:
    rows = face.take(runs.histories(2, [DENSE], "_runtime"))
    assert all(set(row) == {"run_id", "_runtime", DENSE} for row in rows)


def test_the_machines_rows_of_all_runs(runs: AnyRuns, face: Face) -> None:
    rows = face.take(runs.histories(2, stream="system"))
    assert {str(row["run_id"]) for row in rows} <= {run.id for run in face.items(runs)}
    assert any(key.startswith("system.") for row in rows for key in row)


def test_reading_them_leaves_the_list_as_it_was(runs: AnyRuns, face: Face) -> None:
    face.take(runs.histories(1, [DENSE]))
    assert (runs.cursor, runs.more) == (None, True)


@pytest.mark.parametrize("form", ["default", "pandas", "polars"])
def test_no_runs_give_no_rows(form: str, api: AnyApi, face: Face, world: World) -> None:
    filters: dict[str, JSONValue] = {"display_name": "no run is called this"}
    runs = face.take(api.runs(world.path, filters))
    if form == "default":
        assert face.take(runs.histories()) == []
    elif form == "pandas":
        assert face.take(runs.histories(format="pandas")).empty
    else:
        assert face.take(runs.histories(format="polars")).is_empty()
    assert api.traffic.requests == 1
