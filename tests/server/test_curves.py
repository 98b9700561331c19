"""Curves of histories: no extreme is lost, chunks follow changes of rows, one visit makes a few of them."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PATIENCE

from runql_server.access import auth
from runql_server.curves import extremes, reading
from runql_server.curves import rows as curve_rows
from runql_server.curves.extremes import Pixels
from runql_server.curves.reading import CHUNKS_AT_ONCE, ChunkMaker, Curve, Window
from runql_server.lenient_json import JsonObject
from runql_server.runs import curve_chunks, lines, runs
from runql_server.runs.curve_chunks import LINES, MOST_AXES, Axis, Chunk
from runql_server.storage import projects
from runql_server.storage.store import Store

WHOLE = Window(None, None, 100)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    with store.writing() as connection:
        auth.add_key(connection, "k" * 40)
    yield store
    store.close()


def log(store: Store, rows: Sequence[JsonObject], *, offset: int = 0, run: int | None = None) -> int:
    with store.writing() as connection:
        if run is None:
            user = auth.user_number(connection)
            project = projects.ensure(connection, "local", "digits", user=user)
            run = runs.create(connection, project, "r", user=user)
        lines.write_history(connection, run, lines.parse_history([json.dumps(row) for row in rows], offset))
    return run


def read(store: Store, run: int, *keys: str, x: str = "_step", window: Window = WHOLE) -> list[Curve]:
    axis, before = Axis(run, "history", x), -1
    while (made := ChunkMaker(store).advance(axis).chunks) != before:
        before = made
    with store.reading() as connection:
        return reading.read(connection, axis, keys, window)


def wave(count: int, start: int = 0) -> list[JsonObject]:
    return [{"_step": step, "loss": math.sin(step / 50), "acc": step} for step in range(start, start + count)]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=300), st.integers(1, 40))
def test_pixels_keep_every_extreme(points: list[tuple[float, float]], columns: int) -> None:
    start, stop = min(x for x, _ in points), max(x for x, _ in points)
    pixels = Pixels(start, stop, columns)
    pixels.add(points)
    drawn = pixels.points()
    assert set(drawn) <= set(points)
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    assert len(drawn) <= 2 * (columns + 1)
    assert min(y for _, y in drawn) == min(y for _, y in points)
    assert max(y for _, y in drawn) == max(y for _, y in points)


@given(st.lists(st.none() | st.floats(), max_size=200), st.integers(1, 9), st.integers(1, 9))
def test_blocks_keep_every_extreme_at_both_levels(ys: list[float | None], size: int, count: int) -> None:
    xs = [float(index) for index in range(len(ys))]
    fine = extremes.of_blocks(xs, ys, size)
    coarse = extremes.joined(fine, count)
    finite = [y for y in ys if y is not None and math.isfinite(y)]
    for blocks in (fine, coarse):
        drawn = [y for _, y in extremes.points(blocks) if not math.isnan(y)]
        assert (min(drawn, default=None), max(drawn, default=None)) == (
            min(finite, default=None),
            max(finite, default=None),
        )
        assert all(ys[int(x)] == y for x, y in extremes.points(blocks) if not math.isnan(y))


@pytest.mark.parametrize("count", [0, 1, 7, LINES - 1, LINES, LINES + 1, 3 * LINES + 5, 9 * LINES + 17])
def test_a_lone_peak_is_drawn_wherever_it_is(store: Store, count: int) -> None:
    rows = wave(count)
    peaks = {index for index in (0, count // 2, count - 1) if 0 <= index < count}
    for index in peaks:
        rows[index] = {**rows[index], "loss": 1000 + index}
    run = log(store, rows)
    (loss,) = read(store, run, "loss")
    assert {y for _, y in loss.points if y >= 1000} == {1000 + index for index in peaks}
    assert len(loss.points) <= 2 * (WHOLE.pixels + 1)
    assert [x for x, _ in loss.points] == sorted(x for x, _ in loss.points)


def test_a_narrow_window_has_every_row_and_its_neighbours(store: Store) -> None:
    run = log(store, wave(10 * LINES))
    for start in (0, 5, LINES - 3, LINES, 5 * LINES + 7, 10 * LINES - 11):
        (acc,) = read(store, run, "acc", window=Window(start, start + 10, 100))
        first, last = max(0, start - 1), min(10 * LINES - 1, start + 11)
        assert acc.points == [(float(step), float(step)) for step in range(first, last + 1)]


def test_a_window_between_two_rows_has_both(store: Store) -> None:
    run = log(store, [{"_step": step * 1000, "loss": step} for step in range(2 * LINES)])
    (loss,) = read(store, run, "loss", window=Window((LINES - 1) * 1000 + 1, LINES * 1000 - 1, 100))
    assert loss.points == [((LINES - 1) * 1000.0, LINES - 1.0), (LINES * 1000.0, float(LINES))]


def test_rows_that_change_change_their_curve(store: Store) -> None:
    run = log(store, wave(3 * LINES))
    assert max(y for _, y in read(store, run, "loss")[0].points) <= 1
    log(store, [{"_step": LINES + 7, "loss": 50}], offset=LINES + 7, run=run)
    (loss,) = read(store, run, "loss")
    assert (float(LINES + 7), 50.0) in loss.points
    log(store, wave(LINES, start=3 * LINES), offset=3 * LINES, run=run)
    (acc,) = read(store, run, "acc")
    assert max(y for _, y in acc.points) == 4 * LINES - 1


def test_rows_that_change_while_chunks_are_made_are_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = log(store, wave(2 * LINES))
    axis = Axis(run, "history", "_step")
    keep = curve_chunks.keep

    def overtaken(*args: object) -> bool:
        monkeypatch.undo()
        curve_chunks.invalidate(args[0], run, "history", 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - passed on as it came
        kept = keep(*args)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - passed on as it came
        assert not kept
        return kept

    monkeypatch.setattr(curve_chunks, "keep", overtaken)
    assert ChunkMaker(store).advance(axis).chunks == 0
    assert ChunkMaker(store).advance(axis).chunks == 2


def test_one_visit_makes_a_few_chunks(store: Store) -> None:
    run = log(store, wave((CHUNKS_AT_ONCE + 2) * LINES))
    axis = Axis(run, "history", "_step")
    assert ChunkMaker(store).advance(axis).chunks == CHUNKS_AT_ONCE
    with store.reading() as connection:
        (acc,) = reading.read(connection, axis, ["acc"], WHOLE)
    assert max(y for _, y in acc.points) == CHUNKS_AT_ONCE * LINES - 1
    assert ChunkMaker(store).advance(axis).chunks == CHUNKS_AT_ONCE + 2


def test_numbers_that_are_not_finite_are_gaps_and_counted(store: Store) -> None:
    rows: list[JsonObject] = [{"_step": step, "loss": 1.0} for step in range(6 * LINES)]
    for step in range(LINES, 2 * LINES):
        rows[step] = {"_step": step, "loss": math.nan if step % 2 else math.inf}
    run = log(store, rows)
    (loss,) = read(store, run, "loss")
    assert loss.not_finite == LINES
    assert any(math.isnan(y) for _, y in loss.points)
    (narrow,) = read(store, run, "loss", window=Window(LINES - 2, LINES + 1, 100))
    assert narrow.not_finite == 2
    assert [math.isnan(y) for _, y in narrow.points] == [False, False, False, True, True, True]


def test_nested_and_odd_values(store: Store) -> None:
    row: JsonObject = {
        "_step": 1,
        "a": {"b": {"c": 2}, "image": {"_type": "image-file", "width": 3}},
        "flag": True,
        "name": "x",
        "huge": 10**400,
        "list": [1, 2],
    }
    run = log(store, [row])
    curves = read(store, run, "a.b.c", "a.image.width", "flag", "name", "huge", "list", "missing")
    assert [curve.points for curve in curves[:4]] == [[(1.0, 2.0)], [], [], []]
    assert (curves[4].not_finite, curves[5].points, curves[6].points) == (1, [], [])


def test_another_x_axis(store: Store) -> None:
    run = log(store, [{"_step": step, "epoch": step // 10, "loss": -step} for step in range(LINES + 30)])
    (loss,) = read(store, run, "loss", x="epoch", window=Window(None, None, 10_000))
    assert loss.points[:2] == [(0.0, -9.0), (0.0, 0.0)] or loss.points[:2] == [(0.0, 0.0), (0.0, -9.0)]
    assert max(x for x, _ in loss.points) == (LINES + 29) // 10


def test_a_run_without_rows_has_no_curve(store: Store) -> None:
    run = log(store, [])
    assert read(store, run, "loss")[0].points == []


def test_requests_at_the_same_time_make_each_chunk_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = log(store, wave(3 * LINES))
    axis, maker, made = Axis(run, "history", "_step"), ChunkMaker(store), list[int]()
    make = curve_rows.make

    def counted(connection: sqlite3.Connection, axis: Axis, number: int) -> list[Chunk]:
        made.append(number)
        return make(connection, axis, number)

    monkeypatch.setattr(curve_rows, "make", counted)
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(maker.advance, axis) for _ in range(8)]
    assert [each.result().chunks for each in found] == [3] * 8
    assert made == [0, 1, 2]


def test_a_run_waits_only_for_its_own_chunks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = log(store, wave(2 * LINES))
    with store.writing() as connection:
        project = projects.ensure(connection, "local", "digits", user=auth.user_number(connection))
        other = runs.create(connection, project, "other", user=auth.user_number(connection))
    log(store, wave(2 * LINES), run=other)
    make, maker = curve_rows.make, ChunkMaker(store)
    is_making, may_go_on = threading.Event(), threading.Event()

    def held(connection: sqlite3.Connection, axis: Axis, number: int) -> list[Chunk]:
        if axis.run == huge:
            is_making.set()
            assert may_go_on.wait(PATIENCE)
        return make(connection, axis, number)

    monkeypatch.setattr(curve_rows, "make", held)
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(maker.advance, Axis(huge, "history", "_step"))
            assert is_making.wait(PATIENCE)
            second = pool.submit(maker.advance, Axis(other, "history", "_step"))
            assert second.result(PATIENCE).chunks == 2
            assert not first.done()
        finally:
            may_go_on.set()
        assert first.result(PATIENCE).chunks == 2


@pytest.mark.parametrize("count", [50, 5 * LINES, 8 * LINES + 7])
def test_an_axis_that_goes_back_loses_no_peak(store: Store, count: int) -> None:
    # Every chunk runs through the whole range of x, in an order of its own.
    rows: list[JsonObject] = [{"lap": step * 7919 % 1000, "loss": math.sin(step)} for step in range(count)]
    peaks = sorted({0, 7, count // 2, count - 1})
    for index in peaks:
        rows[index] = {**rows[index], "loss": 1000 + index}
    run = log(store, rows)
    (loss,) = read(store, run, "loss", x="lap", window=Window(None, None, 2000))
    expected = {(float(index * 7919 % 1000), 1000.0 + index) for index in peaks}
    assert {each for each in loss.points if each[1] >= 1000} == expected
    assert [x for x, _ in loss.points] == sorted(x for x, _ in loss.points)
    assert loss.overlaps == (count > 5 * LINES)


def test_a_short_history_is_exact_in_any_order(store: Store) -> None:
    points = [(float(step * 7919 % 5000), float(step)) for step in range(5000)]
    run = log(store, [{"lap": x, "loss": y} for x, y in points])
    (loss,) = read(store, run, "loss", x="lap", window=Window(100, 110, 100))
    inside = sorted(each for each in points if 99 <= each[0] <= 111)
    assert loss.points == inside


def test_blocks_hold_neighbours_in_x(store: Store) -> None:
    run = log(store, [{"lap": LINES - step, "loss": step} for step in range(LINES)])
    with store.reading() as connection:
        found = {each.key: each for each in curve_rows.make(connection, Axis(run, "history", "lap"), 0)}
    drawn = list(extremes.points(found["loss"].fine))
    assert [x for x, _ in drawn[::2]] == sorted(x for x, _ in drawn[::2])
    assert (found["loss"].start, found["loss"].stop) == (1, LINES)


def test_chunks_of_few_axes_are_kept(store: Store) -> None:
    names = [f"x{index}" for index in range(MOST_AXES + 3)]
    run = log(store, [dict.fromkeys(names, step) for step in range(LINES)])
    for name in ["_step", *names]:
        ChunkMaker(store).advance(Axis(run, "history", name))
    with store.reading() as connection:
        kept = {row["x"] for row in connection.execute("SELECT x FROM curve_progress")}
        chunks = {row["x"] for row in connection.execute("SELECT x FROM curve_chunks")}
    assert len(kept) == MOST_AXES + 1
    assert {"_step", names[-1]} <= kept
    assert chunks == kept
    # What made room is made again.
    (first,) = read(store, run, "x1", x="x0")
    assert len(first.points) > 1
