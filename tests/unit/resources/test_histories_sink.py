"""A parquet file of all histories: whole or not at all, gone on with where it was interrupted, read again where it changed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.unit.resources.histories_server import ListOnServer, dense, planned_list
from tests.unit.resources.history_server import RunOnServer
from tests.unit.transport.stepping import served

from runql.errors import ConnectionFailedError, IncompleteHistoriesError, LocalFileError
from runql.frames.row_readers import RowReader
from runql.resources.runs.histories.collect import sink_histories
from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.histories.spool import HistoriesSpool

CUT = ConnectionFailedError("cut")


@pytest.fixture
def server() -> ListOnServer:
    """Short runs, and a long one among them."""
    runs = {f"run{place}": dense(3) for place in range(9)}
    runs["run4"] = dense(55)
    return ListOnServer(runs, refusal=CUT)


PLAN = planned_list(per_page=2, page_size=10, max_concurrency=2)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "d" / "all.parquet"


def sink(server: ListOnServer, target: Path, plan: HistoriesPlan = PLAN) -> int:
    """Write the file; the requests that it took."""
    before = server.requests
    served(sink_histories(plan, RowReader(), target, "https://server"), server.answer)
    return server.requests - before


def rows_of_run(target: Path) -> dict[str, int]:
    frame = pl.read_parquet(target)
    return dict(frame.group_by("run_id", maintain_order=True).len().iter_rows())


def interrupt(server: ListOnServer, target: Path, after: int) -> None:
    server.break_at = server.requests + after + 1
    with pytest.raises(ConnectionFailedError):
        sink(server, target)
    server.break_at = 0


def test_a_file_appears_and_nothing_beside_it(server: ListOnServer, target: Path) -> None:
    sink(server, target)
    assert rows_of_run(target) == {name: len(run.rows) for name, run in server.runs.items()}
    assert [*target.parent.iterdir()] == [target]


def test_a_call_goes_on_where_another_was_interrupted(server: ListOnServer, target: Path) -> None:
    whole = sink(server, target)
    target.unlink()
    interrupt(server, target, whole - 1)
    assert not target.exists()
    # One request shows that nothing changed, two bring the three runs that are missing.
    assert sink(server, target) == 3
    assert whole == 9
    assert [*rows_of_run(target)] == [*server.runs]


def test_what_the_target_held_stays_until_all_is_read(server: ListOnServer, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"old")
    interrupt(server, target, 3)
    assert target.read_bytes() == b"old"
    sink(server, target)
    assert [*rows_of_run(target)] == [*server.runs]


def test_a_run_that_changed_meanwhile_is_read_again_in_its_place(server: ListOnServer, target: Path) -> None:
    interrupt(server, target, 3)
    server.runs["run1"] = dense(5)
    server.heartbeats["run0"] = "2026-01-01T00:00:00"
    server.runs = {"new": dense(2), **{name: run for name, run in server.runs.items() if name != "run2"}}
    sink(server, target)
    assert rows_of_run(target) == {name: len(run.rows) for name, run in server.runs.items()}


def test_values_of_a_run_that_changed_leave_no_type_behind(server: ListOnServer, target: Path) -> None:
    server.runs["run0"] = RunOnServer([{"_step": 0, "loss": "text", "gone": 1}])
    interrupt(server, target, 3)
    server.runs["run0"] = dense(2)
    sink(server, target)
    assert pl.read_parquet_schema(target) == {
        "run_id": pl.String(),
        "_step": pl.Int64(),
        "loss": pl.Float64(),
    }


def test_rows_of_other_keys_are_not_taken_for_these(server: ListOnServer, target: Path) -> None:
    interrupt(server, target, 3)
    sink(server, target, planned_list(per_page=2, keys=["loss"], min_step=1, page_size=10, max_concurrency=2))
    frame = pl.read_parquet(target)
    assert frame.columns == ["run_id", "_step", "loss"]
    assert frame["_step"].min() == 1


def test_runs_that_cannot_be_read_are_named_and_the_others_kept(server: ListOnServer, target: Path) -> None:
    server.heavy, server.refusal = ["run7"], ListOnServer({}).refusal
    with pytest.raises(IncompleteHistoriesError, match="next to the file") as caught:
        sink(server, target)
    assert caught.value.failed == ("run7",)
    assert caught.value.partial == []
    assert not target.exists()
    server.heavy = ()
    assert sink(server, target) == 2
    assert [*rows_of_run(target)] == [*server.runs]


def test_one_call_at_a_time(server: ListOnServer, target: Path) -> None:
    spool = HistoriesSpool(target, "question")
    with pytest.raises(LocalFileError, match="another call"):
        sink(server, target)
    assert server.requests == 0
    spool.close()
    sink(server, target)


def test_a_folder_that_cannot_be_made_is_told_of_before_anything_is_sent(
    server: ListOnServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalFileError, match=r"all\.parquet"):
        sink(server, tmp_path / "file" / "all.parquet")
    assert server.requests == 0


def test_no_runs_make_a_file_without_rows(target: Path) -> None:
    sink(ListOnServer({}), target)
    frame = pl.read_parquet(target)
    assert (frame.height, frame.columns) == (0, ["run_id", "_step"])


@pytest.mark.parametrize("lost", range(5))
def test_parts_that_lost_rows_are_read_again(lost: int, server: ListOnServer, target: Path) -> None:
    """As when a process is killed while it removes the parts: of the long run, the first may be gone and the last be there."""
    interrupt(server, target, 8)
    parts = sorted(target.parent.glob(".*/*.rows"))
    assert len(parts) > 5
    parts[lost].unlink()
    sink(server, target)
    assert rows_of_run(target) == {name: len(run.rows) for name, run in server.runs.items()}
