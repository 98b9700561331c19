"""Every row of every run of a list: in one frame, frame after frame, or in a parquet file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.contract.both_clients import AnyApi, AnyRuns, Face, Row
from tests.contract.sample_facts import DENSE, ONE_OF_EACH, RARE
from tests.contract.untyped import Untyped, listed, taken
from tests.contract.world import World

from runql import IncompleteHistoriesError, LocalFileError, MissingExtraError
from runql.frames import extras
from runql.resources.history.plan import Match
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

FORMATS = ["default", "polars", "pandas", "arrow"]
LONG, WINDOW = 950, 100
ARROW_TYPES: Final[dict[str, pa.DataType]] = {
    "run_id": pa.string(),
    "_step": pa.int64(),
    "loss": pa.float64(),
    "rare": pa.int64(),
}


def history(rows: int, run: int = 0) -> list[Row]:
    """Rows of which every tenth has another metric, too."""
    logged: list[Row] = []
    for step in range(rows):
        row: Row = {"_step": step, "loss": (run + 1) / (step + 1)}
        logged.append({**row, "rare": step} if step % 10 == 0 else row)
    return logged


def seed(server: RunningServer, project: str, *rows: int) -> None:
    """Runs with so many rows each, called r0, r1, …"""
    server.seed(
        project,
        (SeedRun(name=f"r{place}", history=history(count, place)) for place, count in enumerate(rows)),
    )
    server.clear()


def runs_of(face: Face, server: RunningServer, project: str, per_page: int = 50) -> AnyRuns:
    """Its runs; nothing is sent yet."""
    client = face.client(server.url, server.api_key)
    return face.runs(client, server.entity, project, per_page=per_page)


def operations(server: RunningServer) -> list[str]:
    return sorted(str(request.operation) for request in server.requests)


def one_by_one(
    face: Face, runs: AnyRuns, keys: Sequence[str] | None = None, match: Match = "any", **bounds: int
) -> list[Row]:
    """The slow way: the scan of each run, in list order."""
    rows: list[Row] = []
    for run in face.items(runs):
        scan = run.scan_history(
            keys, match=match, min_step=bounds.get("min_step"), max_step=bounds.get("max_step")
        )
        rows += [{**row, "run_id": run.id} for row in face.items(scan)]
    return rows


def as_rows(frame: Untyped) -> list[Row]:
    """The rows of a frame of any library, without what is missing."""
    if isinstance(frame, pd.DataFrame):
        return present(pl.from_pandas(frame, nan_to_null=True).to_dicts())
    if isinstance(frame, pl.DataFrame | pa.Table):
        return present(pl.DataFrame(frame).to_dicts())
    return present(frame)


def present(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


@pytest.mark.parametrize("keys", [None, [DENSE, RARE]], ids=["whole", "keys"])
def test_it_is_the_scan_of_each_run_in_list_order(
    keys: list[str] | None, api: AnyApi, face: Face, sampled: World
) -> None:
    runs = face.take(api.runs(sampled.path, ONE_OF_EACH, per_page=2, lazy=True))
    together = taken(face, runs.scan_histories(keys, max_step=11, format="default").collect())
    assert together == one_by_one(face, runs, keys, max_step=11)


@pytest.mark.parametrize(
    ("keys", "match", "bounds"),
    [
        (None, "any", {}),
        (["loss", "rare"], "any", {}),
        (["rare", "loss"], "all", {}),
        (["rare"], "any", {"min_step": 5, "max_step": 330}),
        (None, "any", {"min_step": 7, "max_step": 12}),
        (["never"], "any", {}),
    ],
)
def test_short_and_long_runs(
    keys: list[str] | None,
    match: Match,
    bounds: dict[str, int],
    face: Face,
    server: RunningServer,
    project: str,
) -> None:
    seed(server, project, 5, LONG, 0, 120, 30, 350, 99, 100, 101)
    runs = runs_of(face, server, project, per_page=4)
    expected = one_by_one(face, runs, keys, match, **bounds)
    scan: Untyped = runs.scan_histories
    for form in FORMATS:
        read = scan(keys, match=match, format=form, page_size=WINDOW, **bounds)
        assert as_rows(taken(face, read.collect())) == expected
        assert [row for frame in listed(face, read) for row in as_rows(frame)] == expected


def test_frames_have_the_run_and_the_step_first(face: Face, server: RunningServer, project: str) -> None:
    seed(server, project, 20, 30)
    runs = runs_of(face, server, project)
    polars = face.take(runs.scan_histories().collect())
    pandas = face.take(runs.scan_histories(format="pandas").collect())
    arrow = face.take(runs.scan_histories(format="arrow").collect())
    assert isinstance(polars, pl.DataFrame)
    assert isinstance(pandas, pd.DataFrame)
    assert isinstance(arrow, pa.Table)
    names = ["run_id", "_step", "loss", "rare"]
    assert polars.columns == list(pandas.columns) == arrow.column_names == names
    assert polars.dtypes == [pl.String(), pl.Int64(), pl.Float64(), pl.Int64()]
    assert arrow.schema.equals(pa.schema(ARROW_TYPES))


def test_no_runs_give_no_rows(face: Face, server: RunningServer, project: str) -> None:
    seed(server, project)
    runs = runs_of(face, server, project)
    assert face.take(runs.scan_histories().collect()).shape == (0, 2)
    assert face.take(runs.scan_histories(format="default").collect()) == []
    assert face.items(runs.scan_histories()) == []
    assert operations(server) == ["ListWholeHistories"] * 3


def test_two_hundred_short_runs_take_three_requests(face: Face, server: RunningServer, project: str) -> None:
    seed(server, project, *[3] * 200)
    frame = face.take(runs_of(face, server, project).scan_histories(["loss"]).collect())
    assert (frame.height, frame["run_id"].n_unique()) == (600, 200)
    assert operations(server) == ["ListWholeHistories"] * 3


def test_only_what_does_not_fit_a_page_is_read_alone(face: Face, server: RunningServer, project: str) -> None:
    seed(server, project, *[3] * 10, LONG, *[3] * 10, LONG, *[3] * 10)
    frame = face.take(runs_of(face, server, project).scan_histories(page_size=WINDOW).collect())
    assert frame.height == 30 * 3 + 2 * LONG
    windows = 2 * math.ceil(LONG / WINDOW)
    assert operations(server) == ["ListWholeHistories"] + ["ScanHistory"] * windows


def test_a_long_run_alone_takes_its_windows_and_the_page(
    face: Face, server: RunningServer, project: str
) -> None:
    seed(server, project, LONG)
    frame = face.take(
        runs_of(face, server, project).scan_histories(page_size=WINDOW, max_concurrency=1).collect()
    )
    assert frame["_step"].to_list() == list(range(LONG))
    assert operations(server) == ["ListWholeHistories"] + ["ScanHistory"] * math.ceil(LONG / WINDOW)


def test_runs_of_middle_length_are_read_in_smaller_pages(
    face: Face, server: RunningServer, project: str
) -> None:
    seed(server, project, *[700] * 60)
    frame = face.take(runs_of(face, server, project).scan_histories(["loss"]).collect())
    assert frame.height == 60 * 700
    assert set(operations(server)) == {"ListWholeHistories"}
    assert len(server.requests) <= 4


def test_who_stops_after_the_first_frame_has_sent_one_request(
    face: Face, server: RunningServer, project: str
) -> None:
    seed(server, project, *[3] * 30)
    scan = runs_of(face, server, project, per_page=5).scan_histories()
    assert [frame.height for frame in face.items(scan, 1)] == [15]
    assert len(server.requests) == 1
    assert sum(frame.height for frame in face.items(scan)) == 90
    assert len(face.items(scan, 2)) == 2


def test_nothing_is_sent_before_it_is_asked_for(face: Face, server: RunningServer, project: str) -> None:
    seed(server, project, 3)
    scan = runs_of(face, server, project).scan_histories()
    assert server.requests == []
    first, again = face.take(scan.collect()), face.take(scan.collect())
    assert first.equals(again)
    assert len(server.requests) == 2


@pytest.mark.parametrize("form", FORMATS)
def test_wide(form: str, face: Face, server: RunningServer, project: str) -> None:
    seed(server, project, 20, 30)
    scan: Untyped = runs_of(face, server, project).scan_histories
    one = as_rows(taken(face, scan(["loss"], format=form, pivot=True).collect()))
    assert one[0] == {"_step": 0, "r0": 1.0, "r1": 2.0}
    assert one[25] == {"_step": 25, "r1": 2 / 26}
    assert len(one) == 30
    both = as_rows(taken(face, scan(format=form, pivot=True).collect()))
    assert both[10] == {"_step": 10, "loss/r0": 1 / 11, "loss/r1": 2 / 11, "rare/r0": 10, "rare/r1": 10}


def test_a_wide_scan_comes_at_once_or_not_at_all(
    face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    seed(server, project, 20)
    scan = runs_of(face, server, project).scan_histories(pivot=True)
    with pytest.raises(ValueError, match=r"collect\(\)"):
        face.items(scan)
    with pytest.raises(ValueError, match=r"collect\(\)"):
        face.take(scan.sink_parquet(tmp_path / "x.parquet"))
    assert server.requests == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_holds_what_the_frame_does(
    form: str, face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    seed(server, project, 5, LONG, 0, 120)
    server.seed(project, [SeedRun(name="odd", history=[{"loss": "text", "nested": {"a": [1, 2.5]}}])])
    runs = runs_of(face, server, project)
    scan: Untyped = runs.scan_histories
    taken(face, scan(format=form, page_size=WINDOW).sink_parquet(str(tmp_path / "x.parquet")))
    assert pl.read_parquet(tmp_path / "x.parquet").equals(face.take(runs.scan_histories().collect()))
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_a_file_that_cannot_be_written(
    face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    seed(server, project, 5)
    (tmp_path / "file").touch()
    with pytest.raises(LocalFileError, match=r"x\.parquet"):
        face.take(
            runs_of(face, server, project).scan_histories().sink_parquet(tmp_path / "file" / "x.parquet")
        )
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"format": "csv"}, ValueError),
        ({"match": "some"}, ValueError),
        ({"keys": "loss"}, TypeError),
        ({"min_step": -1}, ValueError),
        ({"min_step": 5, "max_step": 4}, ValueError),
        ({"page_size": 0}, ValueError),
        ({"max_concurrency": 0}, ValueError),
        ({"max_concurrency": True}, TypeError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    given: dict[str, object], kind: type[Exception], face: Face, server: RunningServer, project: str
) -> None:
    server.clear()
    scan: Untyped = runs_of(face, server, project).scan_histories
    with pytest.raises(kind):
        scan(**given)
    assert server.requests == []


@pytest.mark.parametrize(
    ("form", "library"), [("polars", "polars"), ("pandas", "pandas"), ("arrow", "pyarrow")]
)
def test_a_library_that_is_missing(
    form: str,
    library: str,
    face: Face,
    server: RunningServer,
    project: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.clear()
    runs = runs_of(face, server, project)
    scan: Untyped = runs.scan_histories

    def found(name: str) -> object | None:
        return None if name == library else object()

    monkeypatch.setattr(extras, "find_spec", found)
    with pytest.raises(MissingExtraError, match=library):
        scan(format=form)
    if library == "pyarrow":
        with pytest.raises(MissingExtraError, match="sink_parquet"):
            face.take(runs.scan_histories().sink_parquet(tmp_path / "x.parquet"))
    assert server.requests == []


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_there(
    face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    seed(server, project, 3, 3, 3)
    # Rows of this one are no rows: the server fails on them when keys are picked.
    bad = '{"_step": 0, "loss": 1}'
    server.seed(project, [SeedRun(name="bad", history=[bad])])
    break_history(server, "bad")
    runs = runs_of(face, server, project)
    with pytest.raises(IncompleteHistoriesError) as caught:
        face.take(runs.scan_histories(["loss"]).collect())
    assert caught.value.failed == ("bad",)
    assert [row["run_id"] for row in caught.value.partial] == ["r0"] * 3 + ["r1"] * 3 + ["r2"] * 3
    with pytest.raises(IncompleteHistoriesError, match="handed out"):
        face.items(runs.scan_histories(["loss"]))
    with pytest.raises(IncompleteHistoriesError, match="next to the file"):
        face.take(runs.scan_histories(["loss"]).sink_parquet(tmp_path / "x.parquet"))
    assert not (tmp_path / "x.parquet").exists()


def test_an_interrupted_file_is_gone_on_with(
    face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    seed(server, project, 3, 3, 3, LONG, 3, 3)
    scan = runs_of(face, server, project, per_page=2).scan_histories(["loss"], page_size=WINDOW)
    break_history(server, "r5")
    with pytest.raises(IncompleteHistoriesError):
        face.take(scan.sink_parquet(tmp_path / "x.parquet"))
    interrupted = len(server.requests)
    mend_history(server, "r5")
    server.clear()
    face.take(scan.sink_parquet(tmp_path / "x.parquet"))
    assert operations(server) == ["ListRuns", "ListWholeHistories"]
    assert interrupted > 10
    assert pl.read_parquet(tmp_path / "x.parquet").equals(face.take(scan.collect()))


def break_history(server: RunningServer, run: str) -> None:
    """Leave a row that the server cannot read."""
    with server.store.writing() as connection:
        connection.execute(
            "UPDATE history SET text = 'broken' WHERE run_id IN (SELECT id FROM runs WHERE name = ?)", (run,)
        )


def mend_history(server: RunningServer, run: str) -> None:
    """Make it a row again."""
    with server.store.writing() as connection:
        connection.execute(
            "UPDATE history SET text = json_object('_step', step, 'loss', step / 2.0)"
            " WHERE run_id IN (SELECT id FROM runs WHERE name = ?)",
            (run,),
        )
