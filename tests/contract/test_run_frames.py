"""One row for each run: columns, order, dtypes and requests of `Runs.to_polars`, `to_pandas` and `to_arrow`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.contract.both_clients import AnyRuns, Face
from tests.contract.untyped import Untyped, listed, taken

from runql import FrameValueError, JSONValue, MissingExtraError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

STRING = pl.String()
FIXED: Mapping[str, pl.DataType] = {
    "id": STRING,
    "name": STRING,
    "state": STRING,
    "created_at": STRING,
    "heartbeat_at": STRING,
    "user": STRING,
    "group": STRING,
    "job_type": STRING,
    "tags": pl.List(STRING),
    "notes": STRING,
    "sweep_name": STRING,
    "commit": STRING,
    "history_line_count": pl.Int64(),
    "url": STRING,
}
SEEDS = (
    SeedRun(
        name="a",
        config={"lr": 1, "optimizer": {"name": "adam", "steps": 3}, "mixed": 1.5, "a.b": True},
        summary={"loss": 0.5, "acc": 1},
    ),
    SeedRun(name="b", config={"lr": 0.01, "mixed": "high"}, summary={"loss": float("nan")}, tags=("best",)),
    SeedRun(name="c", config={}, summary={}),
)

Make = Callable[..., AnyRuns]


def not_installed(_name: str) -> None:
    """`find_spec` where no library is installed."""


@pytest.fixture
def runs(face: Face, server: RunningServer, project: str) -> Make:
    def make(seeds: Sequence[SeedRun] = SEEDS, *, per_page: int = 50, lazy: bool = False) -> AnyRuns:
        server.seed(project, seeds)
        api = face.api(server.url, server.api_key)
        found = face.take(api.runs(f"{server.entity}/{project}", per_page=per_page, lazy=lazy))
        server.clear()
        return found

    return make


def test_all_columns(face: Face, runs: Make) -> None:
    listing: Untyped = runs()
    frame = taken(face, listing.to_polars())
    assert frame.columns == [
        *FIXED,
        *("config.a.b", "config.lr", "config.mixed", "config.optimizer", "summary.acc", "summary.loss"),
    ]
    assert {name: frame.schema[name] for name in FIXED} == FIXED
    items = listed(face, listing)
    assert frame["id"].to_list() == [run.id for run in items] == ["a", "b", "c"]
    for name in ("name", "state", "created_at", "heartbeat_at", "notes", "group", "tags", "url", "commit"):
        assert frame[name].to_list() == [getattr(run, name) for run in items], name
    assert frame["config.lr"].to_list() == [1.0, 0.01, None]
    # As in histories: a column of numbers and strings is of strings, an object is a struct.
    assert frame["config.mixed"].to_list() == ["1.5", "high", None]
    assert frame["config.optimizer"].to_list()[:2] == [{"name": "adam", "steps": 3}, None]
    assert frame["config.a.b"].to_list() == [True, None, None]
    loss = frame["summary.loss"].to_list()
    assert loss[0] == 0.5
    assert math.isnan(loss[1])
    assert loss[2] is None


def test_an_empty_list_has_the_fixed_columns(face: Face, runs: Make) -> None:
    listing: Untyped = runs(())
    assert dict(taken(face, listing.to_polars()).schema) == FIXED
    full: Untyped = runs()
    columns = ["id", "history_line_count", "tags", "summary.loss"]
    schema = {"config.lr": float, "summary.acc": pl.Int64}
    empty_arrow = taken(face, listing.to_arrow(columns=columns)).schema
    assert empty_arrow.equals(taken(face, full.to_arrow(columns=columns)).schema)
    typed = taken(face, runs(()).to_pandas(columns=[*columns, *schema], schema=schema))
    other = taken(face, full.to_pandas(columns=[*columns, *schema], schema=schema))
    assert list(typed.columns) == list(other.columns)
    assert str(typed["summary.acc"].dtype) == str(other["summary.acc"].dtype) == "Int64"


def test_chosen_columns_and_their_order(face: Face, runs: Make) -> None:
    listing: Untyped = runs()
    names = ["summary.loss", "id", "config.optimizer.steps", "config.a.b", "config.nope"]
    for frame in (
        taken(face, listing.to_polars(columns=names)),
        taken(face, listing.to_pandas(columns=names)),
        pl.DataFrame(taken(face, listing.to_arrow(columns=names))),
    ):
        assert isinstance(frame, (pl.DataFrame, pd.DataFrame))
        assert list(frame.columns) == names
        assert list(frame["id"]) == ["a", "b", "c"]
    chosen = taken(face, listing.to_polars(columns=names))
    assert chosen["config.optimizer.steps"].to_list() == [3, None, None]
    assert (chosen.schema["config.nope"], chosen["config.nope"].null_count()) == (pl.Float64(), 3)
    star = taken(face, listing.to_polars(columns=["config.*", "id", "config.lr"]))
    assert star.columns == ["config.a.b", "config.mixed", "config.optimizer", "id", "config.lr"]


def test_schemas(face: Face, runs: Make) -> None:
    listing: Untyped = runs()
    schema = {"config.lr": pl.Float32, "summary.nope": pl.Int8, "history_line_count": pa.int32()}
    frame = taken(face, listing.to_polars(schema=schema))
    assert frame.schema["config.lr"] == pl.Float32()
    assert frame.schema["summary.nope"] == pl.Int8()
    assert frame.schema["history_line_count"] == pl.Int32()
    assert frame.columns.index("summary.nope") == frame.columns.index("summary.loss") + 1
    with pytest.raises(FrameValueError, match=r"run b .*'high' of column 'config\.mixed'.* float") as caught:
        taken(face, listing.to_pandas(schema={"config.mixed": float}))
    assert (caught.value.run, caught.value.column, caught.value.value) == ("b", "config.mixed", "high")


@pytest.mark.parametrize("make", ["to_polars", "to_pandas", "to_arrow"])
@pytest.mark.parametrize(
    ("columns", "requests"),
    [
        (None, ["ListFullRuns"] * 2),
        (["id", "state"], ["ListRuns"] * 2),
        (["summary.loss"], ["ListFullRuns"] * 2),
    ],
)
def test_requests_of_a_lazy_list(
    face: Face, server: RunningServer, runs: Make, columns: list[str] | None, requests: list[str], make: str
) -> None:
    listing: Untyped = runs(per_page=2, lazy=True)
    frame = taken(face, getattr(listing, make)(columns=columns))
    assert len(frame) == 3
    assert [request.operation for request in server.requests] == requests


def test_pages_are_requested_once(face: Face, server: RunningServer, runs: Make) -> None:
    listing: Untyped = runs(per_page=2)
    taken(face, listing.to_polars())
    assert [request.operation for request in server.requests] == ["ListFullRuns"] * 2
    # Config and summary are there already.
    taken(face, listing.to_arrow(columns=["config.lr"]))
    listed(face, listing)
    assert len(server.requests) == 2


def test_a_list_that_was_read_in_part(face: Face, server: RunningServer, runs: Make) -> None:
    listing: Untyped = runs(per_page=2, lazy=True)
    taken(face, listing[0])
    frame = taken(face, listing.to_polars(columns=["config.lr"]))
    assert frame["config.lr"].to_list() == [1.0, 0.01, None]
    # The light page that was read, in full, and the next one in full.
    assert [request.operation for request in server.requests] == ["ListRuns", *["ListFullRuns"] * 2]


def test_bad_arguments_send_nothing(
    face: Face, server: RunningServer, runs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing: Untyped = runs()
    for call in (listing.to_polars, listing.to_pandas, listing.to_arrow):
        for bad in (["nope"], ["config."], ["id", "id"], []):
            with pytest.raises(
                ValueError, match=r"is no column of runs: use id, name|twice|columns is empty"
            ):
                taken(face, call(columns=bad))
        for wrong in ("id", [3], 7):
            with pytest.raises(TypeError, match="columns must be a list of names"):
                taken(face, call(columns=wrong))
        for schema in ({"nope": float}, {"config.*": float}):
            with pytest.raises(ValueError, match="which is no column of this frame"):
                taken(face, call(schema=schema))
        with pytest.raises(ValueError, match=r"'config\.lr', which is no column of this frame"):
            taken(face, call(columns=["id"], schema={"config.lr": float}))
        with pytest.raises(TypeError, match="schema cannot make column 'id' of"):
            taken(face, call(schema={"id": pl.Datetime}))
    monkeypatch.setattr("runql.frames.extras.find_spec", not_installed)
    for call in (listing.to_polars, listing.to_pandas, listing.to_arrow):
        with pytest.raises(MissingExtraError):
            taken(face, call())
    assert server.requests == []


def test_values_are_those_of_the_runs(face: Face, runs: Make) -> None:
    listing: Untyped = runs()
    frame = taken(face, listing.to_polars(columns=["config.lr", "summary.acc"]))
    for run, row in zip(listed(face, listing), frame.to_dicts(), strict=True):
        expected: dict[str, JSONValue] = {
            "config.lr": run.config.get("lr"),
            "summary.acc": run.summary_metrics.get("acc"),
        }
        assert row == expected
