"""Lazy frames send what a query needs, and fail with errors of runql."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Literal

import polars as pl
import pytest
from tests.patience import PATIENCE

from runql import Api, ClientClosedError, FrameValueError
from runql_server.exports.policy import ExportPolicy
from runql_server.lenient_json import JsonInput
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


def gaps(number: int) -> list[dict[str, JsonInput]]:
    """Return rows of which most lack ``a``, and one has null."""
    rows: list[dict[str, JsonInput]] = [{"_step": step, "b": step, **WIDE} for step in range(number)]
    for row in rows[::3]:
        row["a"] = 1.0
    rows[0]["a"] = None
    return rows


def of_one_metric(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count rows that have a metric, and those that lack it."""
    return frame.group_by("run_id", maintain_order=True).agg(
        pl.col("a").sum(), rows=pl.len(), nulls=pl.col("a").null_count()
    )


def of_two_metrics(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Choose two metrics of each row, and steps."""
    return frame.filter(pl.col("_step") != 3).select("b", "run_id", "a")


def of_later_rows(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Choose one metric of rows from a step on."""
    return frame.filter(pl.col("_step") > 4).select("a")


def bytes_of(api: Api, query: pl.LazyFrame) -> int:
    before = api.traffic.bytes_received
    query.collect()
    return api.traffic.bytes_received - before


@both_engines
@pytest.mark.parametrize("query", [of_one_metric, of_two_metrics, of_later_rows])
@pytest.mark.parametrize("page_size", [1000, 7])
def test_rows_without_the_metric_are_read_too(
    api: Api,
    server: RunningServer,
    engine: Literal["in-memory", "streaming"],
    query: Callable[[pl.LazyFrame], pl.LazyFrame],
    page_size: int,
) -> None:
    server.seed("gaps", [SeedRun(name=f"g{run}", history=gaps(20 + run)) for run in range(5)])
    server.seed("gaps", [SeedRun(name="none", history=[{"b": 1, **WIDE}]), SeedRun(name="empty")])
    lazy = api.runs("gaps", order="+created_at").scan_histories(page_size=page_size).lazy()
    whole = lazy.collect()
    assert query(lazy).collect(engine=engine).equals(query(whole.lazy()).collect())
    if page_size == 1000:
        assert bytes_of(api, query(lazy)) < bytes_of(api, lazy) / 2


def test_a_metric_of_every_row_is_read_alone(api: Api) -> None:
    lazy = api.runs("p").scan_histories().lazy()
    assert bytes_of(api, lazy.select(pl.col("a").sum())) < bytes_of(api, lazy) / 8
    assert bytes_of(api, lazy.select("a", "b", "k01")) < bytes_of(api, lazy) / 3
    assert lazy.select("a", "b", "k01").collect().height == RUNS * STEPS


def test_a_run_that_lacks_the_metric_since_is_read_in_another_way(api: Api, server: RunningServer) -> None:
    seen = [SeedRun(name=f"s{run}", history=[{"a": 1.0, **WIDE}] * 3) for run in range(40)]
    server.seed("since", seen)
    lazy = api.runs("since", order="+created_at").scan_histories().lazy()
    query = lazy.select(pl.col("a").sum(), rows=pl.len())
    assert requests(api, query, "in-memory") == (1, 1)
    server.seed("since", [SeedRun(name="late", history=[{"a": 2.0, **WIDE}, WIDE])])
    assert query.collect().rows() == [(122.0, 122)]
    # The page, and the new run alone.
    assert requests(api, query, "in-memory") == (2, 1)
    server.seed("since", [SeedRun(name=f"late{run}", history=[WIDE]) for run in range(4)])
    assert query.collect().rows() == [(122.0, 126)]
    # Several runs lack it: the page once more, with the steps of all rows.
    assert requests(api, query, "in-memory") == (2, 1)


@both_engines
@pytest.mark.parametrize("page_size", [1000, 2])
def test_runs_of_which_rows_share_a_step_are_read_whole(
    api: Api, server: RunningServer, engine: Literal["in-memory", "streaming"], page_size: int
) -> None:
    shared: list[dict[str, JsonInput]] = [
        {"_step": step // 2, **({"a": step} if step != 3 else {}), "b": -step, **WIDE} for step in range(9)
    ]
    plain: list[dict[str, JsonInput]] = [{"_step": step, "a": step, "b": -step, **WIDE} for step in range(9)]
    runs = [SeedRun(name=f"r{run}", history=shared if run == 7 else plain) for run in range(30)]
    server.seed("shared", runs)
    lazy = api.runs("shared", order="+created_at").scan_histories(page_size=page_size).lazy()
    whole = lazy.collect()
    assert whole.height == 270
    for names in (["a"], ["b"], ["_step", "b", "a"]):
        assert lazy.select(names).collect(engine=engine).equals(whole.select(names))
    of_run = api.run("shared/r7").scan_history(page_size=page_size).lazy()
    assert of_run.select("b", "a").collect().equals(of_run.collect().select("b", "a"))
    if page_size == 1000:
        # The page, the steps of this run, and its whole rows.
        assert requests(api, lazy.select("a"), engine) == (3, 270)


def test_the_metric_of_exported_rows_is_read_with_rows_that_lack_it() -> None:
    policy = ExportPolicy(above_rows=10, rows_per_file=8, rows_per_group=4)
    with (
        RunningServer(export_policy=policy) as server,
        Api(base_url=server.url, api_key=server.api_key) as api,
    ):
        server.seed("x", [SeedRun(name="r", history=gaps(30))])
        scan = api.run(f"{server.entity}/x/r").scan_history(page_size=7)
        assert scan.to_polars().height == 30
        server.requests.clear()
        lazy = scan.lazy()
        assert lazy.select("a").collect().equals(lazy.collect().select("a"))
        assert lazy.select(pl.len(), pl.col("a").count()).collect().row(0) == (30, 9)
        assert any("parquet" in each.path for each in server.requests)


INTERRUPTED = """
import os, signal, sys, time
import polars as pl
import runql
api = runql.Api(base_url=sys.argv[1], api_key=sys.argv[2])
lazy = api.runs(sys.argv[3], per_page=1).scan_histories().lazy()
run, calls = api.client.run, []
def slow(flow):
    calls.append(flow)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1 if len(calls) > 1 else 0)
    return run(flow)
api.client.run = slow
try:
    try:
        lazy.select(pl.col("a").sum()).collect(engine=sys.argv[4])
    finally:
        # Python raises another one than polars.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
except KeyboardInterrupt:
    print(len(calls), "interrupted", flush=True)
    os._exit(0)
"""


@pytest.mark.posix
@both_engines
def test_ctrl_c_ends_a_query(server: RunningServer, engine: Literal["in-memory", "streaming"]) -> None:
    runs = 100
    server.seed("long", [SeedRun(name=f"r{run}", history=[{"a": 1.0, **WIDE}]) for run in range(runs)])
    arguments = [server.url, server.api_key, f"{server.entity}/long", engine]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    sent, word = done.stdout.split()
    assert (word, int(sent) < runs) == ("interrupted", True), done.stderr
