"""Lazy frames send what a query needs, and fail with errors of runql."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Literal

import polars as pl
import pytest

from runql import Api, ClientClosedError, FrameValueError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS, STEPS = 6, 60
WIDE = {f"k{number:02}": 0.123456789 for number in range(20)}
both_engines = pytest.mark.parametrize("engine", ["in-memory", "streaming"])


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with RunningServer() as server:
        server.seed(
            "p",
            [
                SeedRun(
                    name=f"r{run}",
                    config={"lr": run / 10},
                    history=[
                        {"_step": step, "a": run * 10.0 + step, "b": step, **WIDE} for step in range(STEPS)
                    ],
                )
                for run in range(RUNS)
            ],
        )
        yield server


@pytest.fixture
def api(server: RunningServer) -> Iterator[Api]:
    with Api(base_url=server.url, api_key=server.api_key, overrides={"entity": server.entity}) as api:
        yield api


def requests(api: Api, query: pl.LazyFrame, engine: Literal["in-memory", "streaming"]) -> tuple[int, int]:
    """Collect a query; return how many requests that sent, and the rows."""
    before = api.traffic.requests
    rows = query.collect(engine=engine).height
    return api.traffic.requests - before, rows


@both_engines
def test_a_query_of_rows_sends_what_it_needs(api: Api, engine: Literal["in-memory", "streaming"]) -> None:
    before = api.traffic.requests
    lazy = api.runs("p").scan_histories().lazy()
    assert api.traffic.requests - before == 1
    step, run = pl.col("_step"), pl.col("run_id")
    assert requests(api, lazy, engine) == (1, RUNS * STEPS)
    assert requests(api, lazy.select(pl.col("a").sum()), engine) == (1, 1)
    assert requests(api, lazy.filter(step >= 3), engine) == (1, RUNS * (STEPS - 3))
    assert requests(api, lazy.filter(run == "r2"), engine) == (1, STEPS)
    assert requests(api, lazy.head(3), engine) == (1, 3)


@both_engines
def test_rows_are_counted_before_they_are_chosen_where_the_query_says_so(
    api: Api, engine: Literal["in-memory", "streaming"]
) -> None:
    lazy = api.runs("p", order="+created_at").scan_histories().lazy()
    first = pl.col("_step") != 0
    assert lazy.head(1).filter(first).collect(engine=engine).height == 0
    assert lazy.filter(first).head(1).collect(engine=engine)["_step"].to_list() == [1]


def test_fewer_bytes_arrive_for_one_metric(api: Api) -> None:
    lazy = api.runs("p").scan_histories().lazy()

    def received(query: pl.LazyFrame) -> int:
        before = api.traffic.bytes_received
        query.collect()
        return api.traffic.bytes_received - before

    assert received(lazy.select("a").filter(pl.col("a") > 0)) < received(lazy) / 4
    assert received(lazy.filter(pl.col("run_id") == "r1")) < received(lazy) / 2


@both_engines
def test_a_query_of_runs_sends_what_it_needs(api: Api, engine: Literal["in-memory", "streaming"]) -> None:
    before = api.traffic.requests
    lazy = api.runs("p", per_page=2).lazy(schema={"config.lr": float})
    assert api.traffic.requests == before
    assert requests(api, lazy, engine) == (RUNS // 2, RUNS)
    assert requests(api, lazy.head(2), engine) == (1, 2)
    assert requests(api, lazy.filter(pl.col("config.lr") > 0.35).select("id"), engine) == (1, 2)


def test_what_is_pushed_down_is_shown_and_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    query = api.runs("p").scan_histories().lazy().filter(pl.col("_step") > 3).select("a")
    plan = query.explain()
    assert "PROJECT 2/24 COLUMNS" in plan
    assert "SELECTION" in plan
    with caplog.at_level(logging.DEBUG, logger="runql.lazy"):
        query.collect()
    assert any("min_step=4" in record.getMessage() for record in caplog.records), caplog.text


@both_engines
def test_errors_of_a_query_are_those_of_runql(api: Api, engine: Literal["in-memory", "streaming"]) -> None:
    wrong = api.runs("p").scan_histories(schema={"a": bool}).lazy()
    with pytest.raises(FrameValueError, match="a"):
        wrong.collect(engine=engine)
    lazy = api.runs("p").scan_histories().lazy()
    api.close()
    with pytest.raises(ClientClosedError):
        lazy.collect(engine=engine)


def test_a_lazy_frame_is_not_written(api: Api, server: RunningServer) -> None:
    lazy = api.runs("p").scan_histories().lazy()
    with pytest.raises(pl.exceptions.ComputeError, match="holds an open client") as caught:
        lazy.serialize()
    assert server.api_key not in str(caught.value)


def test_a_query_of_one_run_reads_the_steps_it_needs(api: Api) -> None:
    lazy = api.run("p/r1").scan_history().lazy()
    found = lazy.filter(pl.col("_step").is_between(10, 12)).select("_step", "a").collect()
    assert found.rows() == [(10, 20.0), (11, 21.0), (12, 22.0)]


@pytest.mark.parametrize(
    "nothing", [pl.col("_step") < 0, pl.col("run_id").is_in(["r1"]) & (pl.col("run_id") == "r2")]
)
def test_a_query_without_a_row_sends_nothing(api: Api, nothing: pl.Expr) -> None:
    assert requests(api, api.runs("p").scan_histories().lazy().filter(nothing), "in-memory") == (0, 0)


@both_engines
def test_a_newer_metric_is_an_error_where_the_query_takes_every_column(
    api: Api, server: RunningServer, engine: Literal["in-memory", "streaming"]
) -> None:
    server.seed("late", [SeedRun(name="early", history=[{"x": 1}])])
    lazy = api.runs("late").scan_histories().lazy()
    server.seed("late", [SeedRun(name="new", history=[{"y": 2}])])
    with pytest.raises(FrameValueError) as caught:
        lazy.collect(engine=engine)
    assert (caught.value.run, caught.value.column) == ("new", "y")
    assert lazy.select(pl.col("x").sum()).collect(engine=engine).item() == 1


def test_columns_of_runs_are_read_where_a_query_takes_one(api: Api) -> None:
    lazy = api.runs("p").scan_histories().lazy(run_columns=["state"], run_schema={"config.lr": float})
    assert requests(api, lazy.select("a"), "in-memory") == (1, RUNS * STEPS)
    assert requests(api, lazy.select("a", "state"), "in-memory") == (2, RUNS * STEPS)
    assert requests(api, lazy.filter(pl.col("config.lr") < 0.15).select("a"), "in-memory") == (2, 2 * STEPS)
    assert requests(api, lazy.filter(pl.col("state") == "crashed"), "in-memory") == (1, 0)


def test_what_cannot_be_lazy_is_refused_before_anything_is_sent(api: Api) -> None:
    before = api.traffic.requests
    with pytest.raises(ValueError, match=r"config\.lr"):
        api.runs("p").lazy(columns=["config.lr"])
    with pytest.raises(ValueError, match="pivoted"):
        api.runs("p").scan_histories(pivot=True).lazy()
    assert api.traffic.requests == before


def test_a_column_of_runs_replaces_a_metric_of_its_name(api: Api, server: RunningServer) -> None:
    server.seed("named", [SeedRun(name="r", state="crashed", history=[{"state": 7, "x": 1}])])
    lazy = api.runs("named").scan_histories().lazy(run_columns=["state"])
    assert lazy.collect().rows(named=True) == [{"run_id": "r", "_step": 0, "x": 1.0, "state": "crashed"}]


def test_rows_that_share_a_step_stay_apart(api: Api, server: RunningServer) -> None:
    server.seed("q", [SeedRun(name="one", history=[{"_step": 0, "a": 1.0, **WIDE}, {"_step": 0, "a": 2.0}])])
    lazy = api.runs("q").scan_histories().lazy()
    assert lazy.select("a").collect()["a"].to_list() == [1.0, 2.0]
    assert lazy.filter(pl.col("a") > 0).select("a").collect()["a"].to_list() == [1.0, 2.0]
    assert lazy.select("a", "k00").collect().height == lazy.collect().height == 2
    assert lazy.select("_step").collect().height == 2
