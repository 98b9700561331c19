"""Sampled rows of one run."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face, Row
from tests.contract.sample_facts import DENSE, RARE, a_run
from tests.contract.world import World

ALL = 100_000


@pytest.fixture
def run(api: AnyApi, face: Face, world: World) -> AnyRun:
    """The shortest run that is finished, which still has more rows than most calls here ask for."""
    return a_run(face, api, world)


def steps(rows: list[Row]) -> list[int]:
    return [int(step) for row in rows if isinstance(step := row["_step"], int | float)]


@pytest.mark.parametrize("samples", [1, 2, 10])
def test_samples_bound_the_rows_and_keep_the_ends(samples: int, run: AnyRun, api: AnyApi, face: Face) -> None:
    before = api.traffic.requests
    rows = face.take(run.history(samples, pandas=False))
    assert len(rows) == samples
    assert steps(rows) == sorted(set(steps(rows)))
    assert steps(rows)[0] == 0
    assert api.traffic.requests == before + 1
    if samples > 1:
        assert steps(rows)[-1] == face.take(run.lastHistoryStep)


def test_sampled_rows_are_rows_of_the_scan(run: AnyRun, face: Face) -> None:
    sampled = face.take(run.history(5, pandas=False))
    lowest, highest = steps(sampled)[1:3]
    scanned = face.items(run.scan_history(min_step=lowest, max_step=highest + 1))
    assert scanned[0] == sampled[1]
    assert scanned[-1] == sampled[2]


def test_a_frame_has_the_rows_and_columns_of_the_list(run: AnyRun, face: Face, sampled: World) -> None:
    rows = face.take(run.history(12, pandas=False))
    frame = face.take(run.history(12))
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["_step"]) == steps(rows)
    assert set(frame.columns) == {key for row in rows for key in row}
    assert [frame[DENSE][index] for index in range(len(rows))] == [row[DENSE] for row in rows]


def test_keys_give_their_columns_and_only_rows_that_have_all(run: AnyRun, face: Face, sampled: World) -> None:
    rows = face.take(run.history(20, [DENSE, RARE], pandas=False))
    assert rows
    assert all(set(row) == {"_step", DENSE, RARE} for row in rows)
    every = face.take(run.history(ALL, [RARE], pandas=False))
    assert {*steps(rows)} <= {*steps(every)}


def test_repeated_keys_and_the_axis_among_them_change_nothing(
    run: AnyRun, face: Face, sampled: World
) -> None:
    once = face.take(run.history(8, [DENSE], pandas=False))
    twice = face.take(run.history(8, [DENSE, "_step", DENSE], pandas=False))
    assert once == twice


def test_another_axis_goes_along_instead_of_the_step(run: AnyRun, face: Face, sampled: World) -> None:
    rows = face.take(run.history(6, [DENSE], "_runtime", pandas=False))
    assert rows
    assert all(set(row) == {"_runtime", DENSE} for row in rows)


def test_keys_that_are_never_logged_give_no_rows(run: AnyRun, face: Face) -> None:
    assert face.take(run.history(10, ["never/logged"], pandas=False)) == []
    assert face.take(run.history(10, ["never/logged"])).empty


def test_empty_keys_are_whole_rows(run: AnyRun, face: Face) -> None:
    assert face.take(run.history(4, [], pandas=False)) == face.take(run.history(4, pandas=False))


def test_the_machines_rows_are_a_stream_of_their_own(run: AnyRun, face: Face, sampled: World) -> None:
    rows = face.take(run.history(5, pandas=False, stream="system"))
    assert rows
    assert len(rows) <= 5
    assert all(any(key.startswith("system.") for key in row) for row in rows)
    assert not any("_step" in row for row in rows)


def test_keys_pick_from_the_machines_rows(run: AnyRun, face: Face, sampled: World) -> None:
    whole = face.take(run.history(5, pandas=False, stream="system"))
    key = next(key for key in whole[-1] if key.startswith("system."))
    picked = face.take(run.history(5, [key], pandas=False, stream="system"))
    assert [row[key] for row in picked] == [row[key] for row in whole if key in row]
    assert all(set(row) <= {"_timestamp", "_runtime", key} for row in picked)
