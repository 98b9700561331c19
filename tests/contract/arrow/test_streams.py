"""Scans and lists as Arrow C streams: requests, requested schemas, errors, threads, and consumers that stop early."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.contract.arrow.seeding import COUNT, PAGE, ROWS, api_to, operations, runs_of, seed
from tests.contract.untyped import Untyped
from tests.patience import PATIENCE

from runql import (
    Api,
    AsyncHistoriesScan,
    AsyncHistoryScan,
    AsyncRuns,
    ClientClosedError,
    FrameValueError,
    HistoriesScan,
    Runs,
)
from runql.frames.streams import row_spool
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

KEYS = ["loss"]


@pytest.fixture
def opened(server: RunningServer) -> Iterator[Api]:
    with api_to(server) as api:
        yield api


@pytest.fixture
def runs(opened: Api, server: RunningServer, project: str) -> Runs:
    seed(server, project)
    return runs_of(opened, server, project)


def schema(**types: Untyped) -> pa.Schema:
    return pa.schema(types)


def changed(own: pa.Table, **types: Untyped) -> pa.Schema:
    """The schema of a table with other types."""
    found = dict(zip(own.schema.names, own.schema.types, strict=True))
    return schema(**{**found, **types})


def known(runs: Runs) -> HistoriesScan[pa.Table]:
    """A scan whose types follow from its schema: rows are passed on as they arrive."""
    return runs.scan_histories(
        KEYS, format="arrow", schema={"loss": float}, page_size=PAGE, max_concurrency=1
    )


def inferred(runs: Runs) -> HistoriesScan[pa.Table]:
    return runs.scan_histories(format="arrow", page_size=PAGE)


def test_a_stream_is_what_collect_returns(runs: Runs) -> None:
    for scan in (known(runs), inferred(runs)):
        assert pa.table(scan).equals(scan.collect())
        assert scan.to_arrow_reader().read_all().equals(scan.collect())
    one = runs[1].scan_history(page_size=PAGE)
    assert pa.table(one).equals(one.to_arrow())
    assert pa.table(runs).equals(runs.to_arrow())
    assert runs.to_arrow_reader().read_all().equals(runs.to_arrow())


def test_a_stream_sends_what_an_iteration_sends(runs: Runs, server: RunningServer) -> None:
    sent: list[list[str]] = []
    for scan in (known(runs), runs.scan_histories(KEYS, page_size=PAGE, max_concurrency=1)):
        server.clear()
        for _frame in scan:
            pass
        sent.append(sorted(operations(server)))
        server.clear()
        assert pa.table(scan).num_rows == ROWS * COUNT
        sent.append(sorted(operations(server)))
    assert sent[0] == sent[1] == sent[2] == sent[3]


def test_what_was_read_for_a_schema_serves_the_stream(runs: Runs, server: RunningServer) -> None:
    scan = inferred(runs)
    pa.table(scan)
    once = len(server.requests)
    server.clear()
    first, second = (pa.RecordBatchReader.from_stream(scan) for _ in range(2))
    assert len(server.requests) == once
    assert first.schema.equals(second.schema)
    assert first.read_all().equals(second.read_all())
    assert len(server.requests) == once
    # A batch was taken: the next consumer reads again.
    pa.RecordBatchReader.from_stream(scan)
    assert len(server.requests) == 2 * once


def test_of_known_types_nothing_is_sent_before_a_batch_is_taken(runs: Runs, server: RunningServer) -> None:
    reader = pa.RecordBatchReader.from_stream(known(runs))
    assert reader.schema.names == ["run_id", "_step", "loss"]
    assert server.requests == []
    assert reader.read_next_batch().num_rows == PAGE
    assert len(server.requests) < 4
    del reader
    gc.collect()
    assert len(server.requests) < 4


def test_a_requested_schema_of_all_keys_passes_rows_on(runs: Runs, server: RunningServer) -> None:
    scan = runs.scan_histories(KEYS, page_size=PAGE, format="arrow")
    target = schema(loss=pa.float32(), run_id=pa.large_string(), _step=pa.int32())
    reader = pa.RecordBatchReader.from_stream(scan, schema=target)
    assert server.requests == []
    found = reader.read_all()
    assert found.schema.equals(target)
    assert found.equals(scan.collect().select(target.names).cast(target))


def test_a_requested_schema_of_nested_values(runs: Runs) -> None:
    scan = runs[1].scan_history(page_size=PAGE)
    own = scan.to_arrow()
    wide = pa.list_(pa.float32())
    target = changed(own, late=wide)
    found = pa.RecordBatchReader.from_stream(scan, schema=target).read_all()
    assert found.schema.equals(target)
    assert found.column("late").to_pylist() == own.column("late").to_pylist()


def test_a_requested_schema_of_runs(runs: Runs) -> None:
    own = runs.to_arrow()
    target = changed(own, **{"config.lr": pa.float32()})
    found = pa.RecordBatchReader.from_stream(runs, schema=target).read_all()
    assert found.schema.equals(target)
    assert found.column("config.lr").to_pylist() == [1.0, 0.5, 0.5, 0.5]


def test_other_columns_are_refused(runs: Runs, server: RunningServer) -> None:
    target = schema(loss=pa.float64())
    with pytest.raises(
        ValueError, match="has the columns 'loss', and the stream has '_step', 'loss', 'run_id'"
    ):
        pa.RecordBatchReader.from_stream(known(runs), schema=target)
    twice = pa.schema([pa.field("loss", pa.float64())] * 2)
    with pytest.raises(ValueError, match="twice"):
        pa.RecordBatchReader.from_stream(known(runs), schema=twice)
    assert server.requests == []
    with pytest.raises(ValueError, match="choose columns by keys"):
        pa.RecordBatchReader.from_stream(inferred(runs), schema=target)
    with pytest.raises(ValueError, match="choose columns by keys"):
        pa.RecordBatchReader.from_stream(runs, schema=target)


def test_a_requested_type_that_values_do_not_fit(runs: Runs) -> None:
    scan = runs.scan_histories(KEYS, page_size=PAGE)
    target = schema(run_id=pa.string(), _step=pa.int64(), loss=pa.int64())
    with pytest.raises(
        pa.ArrowInvalid, match=r"run r0 has a value that does not fit: 120\.5 of column 'loss'"
    ):
        pa.RecordBatchReader.from_stream(scan, schema=target).read_all()
    assert isinstance(scan.stream_error, FrameValueError)
    odd = schema(run_id=pa.string(), _step=pa.int64(), loss=pa.date32())
    with pytest.raises(ValueError, match=r"asks date32.* of column 'loss', and its values are double"):
        pa.RecordBatchReader.from_stream(known(runs), schema=odd)


def test_errors_before_the_first_batch_keep_their_class(runs: Runs, opened: Api) -> None:
    scan = inferred(runs)
    reader = known(runs).to_arrow_reader()
    opened.close()
    with pytest.raises(ClientClosedError):
        pa.table(scan)
    with pytest.raises(ClientClosedError):
        pl.DataFrame(scan)
    assert isinstance(scan.stream_error, ClientClosedError)
    with pytest.raises(ClientClosedError):
        reader.read_all()


def test_errors_of_a_stream_are_kept_by_the_scan(runs: Runs, opened: Api) -> None:
    scan = known(runs)
    assert scan.stream_error is None
    opened.close()
    with pytest.raises(pa.ArrowInvalid, match="closed"):
        pa.table(scan)
    assert isinstance(scan.stream_error, ClientClosedError)
    with pytest.raises(pl.exceptions.ComputeError, match="closed"):
        pl.DataFrame(scan)
    assert isinstance(scan.stream_error, ClientClosedError)


def test_the_error_of_an_earlier_stream_is_forgotten(
    server: RunningServer, project: str, opened: Api
) -> None:
    server.seed(project, [SeedRun(name="r", history=[{"_step": 0, "loss": 1}, {"_step": 1, "loss": 0.5}])])
    runs = runs_of(opened, server, project)
    scan = runs[0].scan_history(KEYS, page_size=1)
    with pytest.raises(FrameValueError):
        scan.to_arrow_reader(infer="first").read_all()
    assert isinstance(scan.stream_error, FrameValueError)
    assert scan.to_arrow_reader().read_all().num_rows == 2
    assert scan.stream_error is None


def test_other_threads_pull(runs: Runs) -> None:
    scan = known(runs)
    expected = scan.collect()
    reader = pa.RecordBatchReader.from_stream(scan)
    found: list[pa.Table] = []

    def pull() -> None:
        found.append(reader.read_all())

    thread = threading.Thread(target=pull)
    thread.start()
    thread.join(PATIENCE)
    assert found[0].equals(expected)


def test_several_streams_of_one_scan_at_once(runs: Runs) -> None:
    scan = inferred(runs)
    expected = scan.collect()
    found: list[pa.Table] = []
    threads = [threading.Thread(target=lambda: found.append(pa.table(scan))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(found) == 4
    assert all(each.equals(expected) for each in found)


def test_many_rows_are_kept_in_a_folder_that_goes_with_the_stream(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(row_spool, "MOST_CELLS", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    expected = inferred(runs).collect()

    # In functions of their own: tests/senders.py keeps the variables of all frames below a request.
    def to_the_end() -> None:
        reader = pa.RecordBatchReader.from_stream(inferred(runs))
        (folder,) = tmp_path.iterdir()
        assert len([*folder.iterdir()]) > 2
        assert reader.read_all().equals(expected)

    def for_a_while() -> None:
        assert inferred(runs).to_arrow_reader().read_next_batch().num_rows

    def not_at_all() -> None:
        pa.RecordBatchReader.from_stream(inferred(runs))

    for read in (to_the_end, for_a_while, not_at_all):
        read()
        gc.collect()
        assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("kind", [AsyncHistoriesScan, AsyncHistoryScan, AsyncRuns])
def test_async_scans_are_no_streams(kind: type) -> None:
    """A consumer would pull from an event loop that waits for it."""
    assert not hasattr(kind, "__arrow_c_stream__")


INTERRUPTED = """
import sys, os, signal, threading
import pyarrow as pa
import runql
api = runql.Api(base_url=sys.argv[1], api_key=sys.argv[2])
scan = api.runs(sys.argv[3]).scan_histories(["loss"], schema={"loss": float} if sys.argv[4] == "known" else None)
run = scan._client.run
def interrupted(flow):
    signal.raise_signal(signal.SIGINT)
    return run(flow)
# The second call of the driver is where rows are read: the first one prepares.
calls = []
def counted(flow):
    calls.append(flow)
    return interrupted(flow) if sys.argv[4] != "known" or len(calls) > 1 else run(flow)
scan._client.run = counted
try:
    pa.table(scan)
except BaseException as error:
    print(type(error).__name__, type(scan.stream_error).__name__)
"""


@pytest.mark.posix
@pytest.mark.parametrize(("types", "raised"), [("inferred", "KeyboardInterrupt"), ("known", "ArrowInvalid")])
def test_ctrl_c_ends_a_stream(
    types: str, raised: str, runs: Runs, server: RunningServer, project: str
) -> None:
    """pyarrow reports every Python exception of a C stream as its own; the scan keeps the interrupt."""
    path = f"{server.entity}/{project}"
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, server.url, server.api_key, path, types],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.split() == [raised, "KeyboardInterrupt"], done.stderr
