"""Scans and lists go into other libraries as they are, and have there the values of `collect` and `to_arrow`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.contract.arrow.seeding import COUNT, PAGE, ROWS, api_to, operations, runs_of, seed
from tests.contract.untyped import Untyped

from runql import Api, ClientClosedError, HistoriesScan, Runs
from runql_server.running import RunningServer

Taken = Callable[[Untyped], pa.Table]


def from_duckdb(source: Untyped) -> pa.Table:
    duckdb: Untyped = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.register("rows", source)
        found: pa.Table = connection.sql("SELECT * FROM rows").to_arrow_table()
        return found


def from_ibis(source: Untyped) -> pa.Table:
    pytest.importorskip("duckdb")
    ibis: Untyped = pytest.importorskip("ibis")
    found: pa.Table = ibis.memtable(source).to_pyarrow()
    return found


def from_polars(source: Untyped) -> pa.Table:
    return pl.DataFrame(source).to_arrow()


def from_pandas(source: Untyped) -> pa.Table:
    frame: Untyped = pd.DataFrame
    return pa.Table.from_pandas(frame.from_arrow(source), preserve_index=False)


def from_pyarrow(source: Untyped) -> pa.Table:
    return pa.table(source)


def from_delta(folder: Path) -> Taken:
    deltalake: Untyped = pytest.importorskip("deltalake")

    def take(source: Untyped) -> pa.Table:
        deltalake.write_deltalake(folder / "delta", source)
        return pa.table(deltalake.DeltaTable(folder / "delta").to_pyarrow_table())

    return take


def from_iceberg(folder: Path) -> Taken:
    pytest.importorskip("pyiceberg")

    def take(source: Untyped) -> pa.Table:
        from pyiceberg.catalog.memory import InMemoryCatalog

        catalog = InMemoryCatalog("local", warehouse=str(folder))
        catalog.create_namespace("runs")
        reader = pa.RecordBatchReader.from_stream(source)
        table = catalog.create_table("runs.rows", schema=reader.schema)
        table.append(reader.read_all())
        return table.scan().to_arrow()

    return take


@pytest.fixture(params=["pyarrow", "polars", "pandas", "duckdb", "ibis", "deltalake", "pyiceberg"])
def consumer(request: pytest.FixtureRequest, tmp_path: Path) -> Taken:
    """Return what reads a source with one library, and gives its rows as a table."""
    plain: dict[str, Taken] = {
        "pyarrow": from_pyarrow,
        "polars": from_polars,
        "pandas": from_pandas,
        "duckdb": from_duckdb,
        "ibis": from_ibis,
    }
    name: str = request.param
    if name in plain:
        return plain[name]
    return from_delta(tmp_path) if name == "deltalake" else from_iceberg(tmp_path)


@pytest.fixture
def opened(server: RunningServer) -> Iterator[Api]:
    with api_to(server) as api:
        yield api


@pytest.fixture
def runs(opened: Api, server: RunningServer, project: str) -> Runs:
    seed(server, project)
    return runs_of(opened, server, project)


def values(table: pa.Table) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = table.to_pylist()
    return sorted(
        rows, key=lambda row: (str(row.get("run_id", row.get("id"))), str(row.get("_step", "")).zfill(9))
    )


def test_whole_rows(consumer: Taken, runs: Runs, server: RunningServer) -> None:
    scan = runs.scan_histories(page_size=PAGE, format="arrow")
    expected = scan.collect()
    once = len(operations(server))
    server.clear()
    found = consumer(scan)
    assert len(server.requests) == once
    assert found.schema.names == expected.schema.names
    assert values(found) == values(expected)


def test_rows_that_are_passed_on(consumer: Taken, runs: Runs) -> None:
    scan = runs.scan_histories(
        ["loss", "ok"], page_size=PAGE, format="arrow", schema={"loss": float, "ok": bool}
    )
    assert values(consumer(scan)) == values(scan.collect())


def test_one_run(consumer: Taken, runs: Runs) -> None:
    scan = runs[1].scan_history(page_size=PAGE)
    assert values(consumer(scan)) == values(scan.to_arrow())


def test_runs(consumer: Taken, runs: Runs, request: pytest.FixtureRequest) -> None:
    # These two take any sequence item by item.
    name = request.node.callspec.params["consumer"]
    given: Untyped = runs.to_arrow_reader() if name in {"polars", "deltalake"} else runs
    assert values(consumer(given)) == values(runs.to_arrow())


def test_no_rows(consumer: Taken, runs: Runs) -> None:
    found = consumer(runs.scan_histories(["nothing"]))
    assert (found.num_rows, found.schema.names) == (0, ["run_id", "_step", "nothing"])


def quick(runs: Runs) -> HistoriesScan[pl.DataFrame]:
    return runs.scan_histories(["loss"], schema={"loss": float}, page_size=PAGE, max_concurrency=1)


def test_duckdb_stops_early(runs: Runs, server: RunningServer) -> None:
    duckdb: Untyped = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.register("rows", quick(runs))
        assert server.requests == []
        assert len(connection.sql("SELECT loss FROM rows LIMIT 5").fetchall()) == 5
        some = len(server.requests)
        server.clear()
        assert connection.sql("SELECT count(*) FROM rows").fetchall() == [(ROWS * COUNT,)]
    assert 5 * some < len(server.requests), (some, len(server.requests))


def test_duckdb_pulls_from_its_own_threads(runs: Runs) -> None:
    duckdb: Untyped = pytest.importorskip("duckdb")
    scan = quick(runs)
    with duckdb.connect(config={"threads": 4}) as connection:
        connection.register("rows", scan)
        found = connection.sql(
            "SELECT run_id, count(*), avg(loss) FROM rows GROUP BY run_id ORDER BY run_id"
        ).fetchall()
    frame = scan.collect().group_by("run_id").agg(pl.len(), pl.col("loss").mean()).sort("run_id")
    assert [row[:2] for row in found] == [row[:2] for row in frame.rows()]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in frame.rows()])


def test_duckdb_has_the_message_and_the_scan_the_error(runs: Runs, opened: Api) -> None:
    duckdb: Untyped = pytest.importorskip("duckdb")
    scan = quick(runs)
    opened.close()
    with pytest.raises(duckdb.Error, match="closed"):
        duckdb.sql("SELECT sum(loss) FROM scan").fetchall()
    assert isinstance(scan.stream_error, ClientClosedError)


def test_a_view_of_duckdb_reads_again(runs: Runs, server: RunningServer) -> None:
    """What was read for the schema of the view serves its first query."""
    duckdb: Untyped = pytest.importorskip("duckdb")
    sent: list[int] = []
    with duckdb.connect() as connection:
        connection.register("rows", runs.scan_histories(page_size=PAGE))
        for _ in range(3):
            assert connection.sql("SELECT count(*) FROM rows").fetchall() == [(ROWS * COUNT,)]
            sent.append(len(server.requests))
            server.clear()
    assert sent[0] == sent[1] == sent[2] > 0


def test_no_consumer_warns(runs: Runs) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_polars(quick(runs)).num_rows == ROWS * COUNT
