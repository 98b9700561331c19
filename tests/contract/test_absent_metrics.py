"""A metric that was asked for is a column of every frame, also where no row has it; an empty frame is typed as a full one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.both_clients import AnyRun, AnyRuns, Face, Row
from tests.contract.untyped import Untyped, listed, taken

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUN_STEP_NOPE = {"run_id": pl.String(), "_step": pl.Int64(), "nope": pl.Float64()}
STEP_NOPE: Final[dict[str, pa.DataType]] = {"_step": pa.int64(), "nope": pa.float64()}
ARROW_TYPES: Final = pa.schema({"run_id": pa.string(), **STEP_NOPE})


def rows(count: int) -> list[Row]:
    return [{"_step": step, "loss": 1.0 / (step + 1)} for step in range(count)]


@pytest.fixture
def runs(face: Face, server: RunningServer, project: str) -> AnyRuns:
    """A run with rows, and one without any."""
    server.seed(project, [SeedRun(name="full", history=rows(20)), SeedRun(name="empty", history=[])])
    return face.runs(face.client(server.url, server.api_key), server.entity, project)


@pytest.fixture
def run(face: Face, runs: AnyRuns) -> AnyRun:
    return next(run for run in face.items(runs) if run.id == "full")


def polars_frame(face: Face, answer: Untyped) -> pl.DataFrame:
    frame = taken(face, answer)
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_of_many_runs(face: Face, runs: AnyRuns) -> None:
    scan: Untyped = runs.scan_histories
    collected = polars_frame(face, scan(["nope"]).collect())
    assert (dict(collected.schema), collected.height) == (RUN_STEP_NOPE, 0)
    assert taken(face, scan(["nope"], format="arrow").collect()).schema.equals(ARROW_TYPES)
    pandas = taken(face, scan(["nope"], format="pandas").collect())
    assert [(name, str(dtype)) for name, dtype in pandas.dtypes.items()] == [
        ("run_id", "object"),
        ("_step", "int64"),
        ("nope", "float64"),
    ]
    # The join that crashed: steps have one type, whether there are any or not.
    joined = polars_frame(face, scan(["loss"]).collect()).join(collected, on=["run_id", "_step"], how="left")
    assert joined.columns == ["run_id", "_step", "loss", "nope"]
    assert joined.height == 20


def test_beside_a_metric_that_is_there(face: Face, runs: AnyRuns) -> None:
    scan: Untyped = runs.scan_histories
    frame = polars_frame(face, scan(["nope", "loss"]).collect())
    assert dict(frame.schema) == {
        "run_id": pl.String(),
        "_step": pl.Int64(),
        "loss": pl.Float64(),
        "nope": pl.Float64(),
    }
    assert (frame.height, frame["nope"].null_count()) == (20, 20)
    assert [frame.columns for frame in listed(face, scan(["nope", "loss"]))] == [frame.columns]


def test_as_one_row_a_step(face: Face, runs: AnyRuns) -> None:
    scan: Untyped = runs.scan_histories
    one = polars_frame(face, scan(["loss"], pivot=True).collect())
    assert dict(one.schema) == {"_step": pl.Int64(), "full": pl.Float64(), "empty": pl.Float64()}
    two = polars_frame(face, scan(["loss", "nope"], pivot=True).collect())
    assert two.columns == ["_step", "loss/full", "loss/empty", "nope/full", "nope/empty"]
    assert two["nope/full"].dtype == pl.Float64()
    assert two.height == 20
    none = polars_frame(face, scan(["nope"], pivot=True).collect())
    assert dict(none.schema) == {"_step": pl.Int64(), "full": pl.Float64(), "empty": pl.Float64()}


def test_in_a_file(face: Face, runs: AnyRuns, tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    taken(face, runs.scan_histories(["nope"]).sink_parquet(target))
    with pq.ParquetFile(target) as file:
        assert file.schema_arrow.equals(ARROW_TYPES)
        assert file.metadata.num_rows == 0


@pytest.mark.parametrize("match", ["all", "any"])
def test_of_one_run(face: Face, run: AnyRun, match: str) -> None:
    scan: Untyped = run.scan_history
    frame = polars_frame(face, scan(["nope"], match=match).to_polars())
    assert dict(frame.schema) == {"_step": pl.Int64(), "nope": pl.Float64()}
    arrow = taken(face, scan(["nope"], match=match).to_arrow())
    assert arrow.schema.equals(pa.schema(STEP_NOPE))
    pandas = taken(face, scan(["nope"], match=match).to_pandas())
    assert [str(dtype) for dtype in pandas.dtypes] == ["int64", "float64"]


def test_of_a_run_that_logged_nothing(face: Face, runs: AnyRuns) -> None:
    run: Untyped = next(run for run in face.items(runs) if run.id == "empty")
    assert dict(polars_frame(face, run.scan_history().to_polars()).schema) == {"_step": pl.Int64()}
    frame = taken(face, run.history())
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [("_step", "int64")]
    # A left join of metrics of two runs, of which one never began.
    full = next(run for run in listed(face, runs) if run.id == "full")
    joined = taken(face, full.history()).merge(frame, on="_step", how="left")
    assert len(joined) == 20


def test_of_samples(face: Face, run: AnyRun, runs: AnyRuns) -> None:
    history: Untyped = run.history
    frame = taken(face, history(keys=["nope"]))
    assert isinstance(frame, pd.DataFrame)
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
        ("_step", "int64"),
        ("nope", "float64"),
    ]
    histories: Untyped = runs.histories
    many = polars_frame(face, histories(keys=["nope"], format="polars"))
    assert dict(many.schema) == RUN_STEP_NOPE
    other_axis = taken(face, histories(keys=["nope"], x_axis="loss", format="pandas"))
    assert list(other_axis.columns) == ["run_id", "loss", "nope"]


def test_of_machine_metrics(face: Face, run: AnyRun, runs: AnyRuns) -> None:
    history: Untyped = run.history
    assert list(taken(face, history(keys=["system.nope"], stream="system")).columns) == [
        "_timestamp",
        "_runtime",
        "system.nope",
    ]
    histories: Untyped = runs.histories
    frame = polars_frame(face, histories(keys=["system.nope"], stream="system", format="polars"))
    assert frame.columns == ["run_id", "_runtime", "_timestamp", "system.nope"]


def test_from_exports(face: Face, server: RunningServer, project: str) -> None:
    server.seed(project, [SeedRun(name="long", history=rows(12_000))])
    runs = face.runs(face.client(server.url, server.api_key), server.entity, project)
    (run,) = listed(face, runs)
    frame = polars_frame(face, run.scan_history(["nope", "loss"], match="any").to_polars())
    assert dict(frame.schema) == {"_step": pl.Int64(), "nope": pl.Float64(), "loss": pl.Float64()}
    assert frame.height == 12_000
    empty = polars_frame(face, run.scan_history(["nope"]).to_polars())
    assert (dict(empty.schema), empty.height) == ({"_step": pl.Int64(), "nope": pl.Float64()}, 0)
    bounded = polars_frame(face, run.scan_history(["nope"], min_step=100, max_step=5_000).to_polars())
    assert (dict(bounded.schema), bounded.height) == ({"_step": pl.Int64(), "nope": pl.Float64()}, 0)
