"""A schema gives columns exact dtypes in every frame, or an error that names run, column and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.both_clients import AnyRun, AnyRuns, Face, Row
from tests.contract.untyped import Untyped, listed, taken

from runql import FrameValueError, JSONValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


def rows(count: int, loss: JSONValue = 1) -> list[Row]:
    return [{"_step": step, "_timestamp": 100 + step, "loss": loss} for step in range(count)]


@pytest.fixture
def seeded(face: Face, server: RunningServer, project: str) -> Callable[..., AnyRuns]:
    def seed(**histories: list[Row]) -> AnyRuns:
        server.seed(project, [SeedRun(name=name, history=found) for name, found in histories.items()])
        runs = face.runs(face.client(server.url, server.api_key), server.entity, project)
        server.clear()
        return runs

    return seed


def run_of(face: Face, runs: AnyRuns, name: str) -> AnyRun:
    return next(run for run in face.items(runs) if run.id == name)


@pytest.mark.parametrize("float_type", [pl.Float64, pa.float64(), np.float64, "Float64", float])
@pytest.mark.parametrize("count", [0, 3])
def test_integers_as_floats(
    face: Face, seeded: Callable[..., AnyRuns], float_type: object, count: int, tmp_path: Path
) -> None:
    runs = seeded(a=rows(count), b=[])
    schema = {"loss": float_type, "_step": pl.Int32}
    scan: Untyped = runs.scan_histories
    polars = taken(face, scan(["loss"], schema=schema).collect())
    assert dict(polars.schema) == {"run_id": pl.String(), "_step": pl.Int32(), "loss": pl.Float64()}
    arrow = taken(face, scan(["loss"], format="arrow", schema=schema).collect())
    assert arrow.schema.types == [pa.string(), pa.int32(), pa.float64()]
    frames = listed(face, scan(["loss"], schema=schema))
    assert all(frame.schema == polars.schema for frame in frames)
    wide = taken(face, scan(["loss"], pivot=True, schema=schema).collect())
    assert dict(wide.schema) == {"_step": pl.Int32(), "a": pl.Float64(), "b": pl.Float64()}
    taken(face, scan(["loss"], schema=schema).sink_parquet(tmp_path / "all.parquet"))
    with pq.ParquetFile(tmp_path / "all.parquet") as file:
        assert file.schema_arrow.equals(arrow.schema)
    run: Untyped = run_of(face, runs, "a")
    one = taken(face, run.scan_history(["loss"]).to_polars(schema=schema))
    assert dict(one.schema) == {"_step": pl.Int32(), "loss": pl.Float64()}
    assert taken(face, run.scan_history(["loss"]).to_arrow(schema=schema)).schema.types[1] == pa.float64()
    pandas = taken(face, run.scan_history(["loss"]).to_pandas(schema={"loss": float_type}))
    assert str(pandas["loss"].dtype) == ("Float64" if isinstance(float_type, str) else "float64")
    sampled = taken(face, run.history(keys=["loss"], schema={"loss": float_type, "_step": "Int16"}))
    assert [str(dtype) for dtype in sampled.dtypes] == ["Int16", str(pandas["loss"].dtype)]
    histories: Untyped = runs.histories
    many = taken(face, histories(keys=["loss"], format="polars", schema=schema))
    assert many.schema == polars.schema


def test_a_column_that_was_never_logged(face: Face, seeded: Callable[..., AnyRuns]) -> None:
    runs = seeded(a=rows(3), empty=[])
    schema = {"epoch": pl.Int64, "note": str}
    scan: Untyped = runs.scan_histories
    frame = taken(face, scan(schema=schema).collect())
    assert frame.columns == ["run_id", "_step", "_timestamp", "epoch", "loss", "note"]
    assert (frame.schema["epoch"], frame.schema["note"]) == (pl.Int64(), pl.String())
    assert frame["epoch"].null_count() == frame.height == 3
    # An empty frame has the columns of a full one, where a schema names them.
    empty: Untyped = run_of(face, runs, "empty")
    full: Untyped = run_of(face, runs, "a")
    typed = {"loss": float, "_timestamp": float, **schema}
    names = {"_step", *typed}
    found = [taken(face, run.scan_history().to_polars(schema=typed)) for run in (empty, full)]
    assert {name: found[0].schema[name] for name in names} == {name: found[1].schema[name] for name in names}


def test_times_are_floats_everywhere(face: Face, seeded: Callable[..., AnyRuns], tmp_path: Path) -> None:
    runs = seeded(a=rows(3))
    run: Untyped = run_of(face, runs, "a")
    assert taken(face, run.scan_history().to_polars()).schema["_timestamp"] == pl.Float64()
    assert str(taken(face, run.history())["_timestamp"].dtype) == "float64"
    scan: Untyped = runs.scan_histories
    assert taken(face, scan().collect()).schema["_timestamp"] == pl.Float64()
    taken(face, scan().sink_parquet(tmp_path / "all.parquet"))
    with pq.ParquetFile(tmp_path / "all.parquet") as file:
        assert (
            dict(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))["_timestamp"]
            == pa.float64()
        )
    empty = taken(face, scan(["_timestamp", "_runtime"], min_step=50).collect())
    assert dict(empty.schema) == {
        "run_id": pl.String(),
        "_step": pl.Int64(),
        "_runtime": pl.Float64(),
        "_timestamp": pl.Float64(),
    }


@pytest.mark.parametrize(
    ("value", "dtype", "shown"),
    [
        (1.5, int, "1.5"),
        (1.5, pl.Int64, "1.5"),
        (300, "uint8", "300"),
        ("low", float, "'low'"),
        (2**53 + 1, pa.float64(), str(2**53 + 1)),
        (1, bool, "1"),
        ([1.0], pl.Float64, "[1.0]"),
        (1e300, pl.Float32, "1e+300"),
    ],
)
def test_a_value_that_does_not_fit(
    face: Face, seeded: Callable[..., AnyRuns], value: JSONValue, dtype: object, shown: str, tmp_path: Path
) -> None:
    fitting = dtype is bool or 1
    runs = seeded(good=rows(2, fitting), bad=[*rows(2, fitting), {"_step": 7, "loss": value}])
    scan: Untyped = runs.scan_histories
    schema = {"loss": dtype}
    expected = rf"run bad has .* {re.escape(shown)} of column 'loss'"
    for call in (
        lambda: scan(["loss"], schema=schema).collect(),
        lambda: scan(["loss"], schema=schema, pivot=True).collect(),
        lambda: scan(["loss"], schema=schema).sink_parquet(tmp_path / "all.parquet"),
        lambda: runs.histories(keys=["loss"], format="polars", schema=schema),
    ):
        with pytest.raises(FrameValueError, match=expected):
            taken(face, call())
    assert not (tmp_path / "all.parquet").exists()
    run: Untyped = run_of(face, runs, "bad")
    with pytest.raises(FrameValueError) as caught:
        taken(face, run.scan_history(["loss"]).to_polars(schema=schema))
    error = caught.value
    assert error.run.endswith("/bad")
    assert (error.column, error.value) == ("loss", value)


def test_rows_of_a_refused_file_are_kept(
    face: Face, server: RunningServer, seeded: Callable[..., AnyRuns], tmp_path: Path
) -> None:
    runs = seeded(a=rows(3, 1.5))
    scan: Untyped = runs.scan_histories
    target = tmp_path / "all.parquet"
    with pytest.raises(FrameValueError):
        taken(face, scan(["loss"], schema={"loss": int}).sink_parquet(target))
    server.clear()
    taken(face, scan(["loss"], schema={"loss": pl.Float32}).sink_parquet(target))
    assert len(server.requests) == 1
    with pq.ParquetFile(target) as file:
        assert file.schema_arrow.types[-1] == pa.float32()


def test_spelled_floats_and_whole_ones(face: Face, seeded: Callable[..., AnyRuns]) -> None:
    values: list[JSONValue] = [1, float("nan"), float("-inf"), 2.5]
    runs = seeded(a=[{"_step": step, "loss": value, "n": 2.0} for step, value in enumerate(values)])
    run: Untyped = run_of(face, runs, "a")
    frame = taken(face, run.scan_history().to_polars(schema={"loss": float, "n": int}))
    assert str(frame["loss"].to_list()) == "[1.0, nan, -inf, 2.5]"
    assert frame["n"].to_list() == [2, 2, 2, 2]


def test_numpy_integers_hold_no_missing_value(face: Face, seeded: Callable[..., AnyRuns]) -> None:
    runs = seeded(a=[{"_step": 0, "n": 1}, {"_step": 1, "loss": 1}])
    run: Untyped = run_of(face, runs, "a")
    with pytest.raises(FrameValueError, match=r"run .*/a has no value in a row of column 'n'.* int64"):
        taken(face, run.scan_history().to_pandas(schema={"n": "int64"}))
    with pytest.raises(FrameValueError, match="run a has no value in a row of column 'n'"):
        taken(face, runs.histories(format="pandas", schema={"n": np.int64}))
    assert str(taken(face, run.scan_history().to_pandas(schema={"n": "Int64"}))["n"].dtype) == "Int64"


def test_bad_schemas_send_nothing(face: Face, server: RunningServer, seeded: Callable[..., AnyRuns]) -> None:
    runs = seeded(a=rows(1))
    run: Untyped = run_of(face, runs, "a")
    scan: Untyped = runs.scan_histories
    histories: Untyped = runs.histories
    server.clear()
    calls: list[Callable[[object], object]] = [
        lambda schema: taken(face, run.scan_history(["loss"]).to_polars(schema=schema)),
        lambda schema: taken(face, run.scan_history(["loss"]).to_pandas(schema=schema)),
        lambda schema: taken(face, run.scan_history(["loss"]).to_arrow(schema=schema)),
        lambda schema: taken(face, run.history(keys=["loss"], schema=schema)),
        lambda schema: scan(["loss"], schema=schema),
        lambda schema: taken(face, histories(keys=["loss"], format="pandas", schema=schema)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"'lose', which is no column of this frame: .*'loss'"):
            call({"lose": float})
        with pytest.raises(TypeError, match=r"column 'loss' of .*Datetime.*: use bool, int, float or str"):
            call({"loss": pl.Datetime})
        with pytest.raises(TypeError, match="schema must be a mapping"):
            call(["loss"])
        with pytest.raises(TypeError, match="schema must name columns by str, not 3"):
            call({3: float})
    with pytest.raises(ValueError, match="schema needs a frame"):
        taken(face, run.history(pandas=False, schema={"loss": float}))
    with pytest.raises(ValueError, match="schema needs a frame"):
        scan(format="default", schema={"loss": float})
    assert server.requests == []


def test_from_exports(face: Face, server: RunningServer, seeded: Callable[..., AnyRuns]) -> None:
    runs = seeded(long=[*rows(12_000), {"_step": 12_000, "loss": 0.5}])
    run: Untyped = run_of(face, runs, "long")
    server.clear()
    frame = taken(face, run.scan_history().to_polars(schema={"loss": pl.Float32, "nope": pl.Int8}))
    assert dict(frame.schema) == {
        "_step": pl.Int64(),
        "_timestamp": pl.Float64(),
        "loss": pl.Float32(),
        "nope": pl.Int8(),
    }
    assert frame["loss"].sum() == 12_000.5
    with pytest.raises(FrameValueError, match=r"/long has a value that does not fit: 0\.5 of column 'loss'"):
        taken(face, run.scan_history(["loss"]).to_polars(schema={"loss": int}))
