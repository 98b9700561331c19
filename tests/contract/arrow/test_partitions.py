"""`sink_parquet(partition_by=…)`: a folder for each value, which other readers read; whole or not there; resumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from tests.contract.both_clients import Face, Row
from tests.contract.untyped import Untyped, taken

from runql import IncompleteHistoriesError, LocalFileError
from runql.resources.runs.histories import partitions
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

NAMES = ("abc", "Abc", "a.b.", "aBC", "x y")
"""Ids of runs of which some differ in case alone."""
PHASES = ("../../up", "a b", "é%2F", "", ".", 'a=b/c\\d:e*f?g"h<i>j|k')
ROWS = 40


def history(run: int) -> list[Row]:
    rows: list[Row] = []
    for step in range(ROWS):
        phase = PHASES[(step // 3) % len(PHASES)]
        row: Row = {
            "_step": step,
            "loss": step / 7 + run,
            "phase": phase,
            "ok": step % 2 == 0,
            "epoch": step // 10,
        }
        rows.append(row if step % 11 else {name: row[name] for name in ("_step", "loss")})
    return rows


@pytest.fixture
def scan(face: Face, server: RunningServer, project: str) -> Untyped:
    server.seed(project, [SeedRun(name=name, history=history(place)) for place, name in enumerate(NAMES)])
    server.clear()
    client = face.client(server.url, server.api_key)
    runs: Untyped = face.runs(client, server.entity, project, per_page=2)
    return runs.scan_histories(format="polars")


def files(target: Path) -> list[str]:
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())


def beside(target: Path) -> list[str]:
    return [path.name for path in target.parent.iterdir() if path != target]


def read(target: Path, names: Sequence[str], like: pl.DataFrame) -> pl.DataFrame:
    """The folder as polars reads it, in the order of the scan; empty strings are missing."""
    schema = {name: like.schema[name] for name in names}
    found = pl.scan_parquet(target, hive_partitioning=True, hive_schema=schema).collect()
    return found.select(like.columns).sort("run_id", "_step")


def expected(face: Face, scan: Untyped, *, with_empty: bool) -> pl.DataFrame:
    frame: pl.DataFrame = taken(face, scan.collect())
    if not with_empty:
        frame = frame.with_columns(pl.col("phase").replace({"": None}))
    return frame.sort("run_id", "_step")


@pytest.mark.parametrize(
    "by",
    ["run_id", ["run_id"], ["phase"], ["run_id", "phase"], ["ok", "epoch"], ("epoch", "run_id", "phase")],
    ids=str,
)
def test_readers_find_the_rows_of_the_scan(
    by: str | list[str], face: Face, scan: Untyped, server: RunningServer, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "rows"
    names = [by] if isinstance(by, str) else [*by]
    like = expected(face, scan, with_empty="phase" not in names)
    once = len(server.requests)
    server.clear()
    face.take(scan.sink_parquet(target, partition_by=by))
    assert len(server.requests) == once
    assert read(target, names, like).equals(like)
    of_arrow: Untyped = ds
    parts = pa.schema(dict(zip(names, like.select(names).to_arrow().schema.types, strict=True)))
    dataset = of_arrow.dataset(target, partitioning=of_arrow.partitioning(parts, flavor="hive"))
    arrow = pl.DataFrame(dataset.to_table())
    assert arrow.select(like.columns).sort("run_id", "_step").equals(like)
    assert beside(target) == []


def test_names_of_folders(face: Face, scan: Untyped, tmp_path: Path) -> None:
    target = tmp_path / "rows"
    face.take(scan.sink_parquet(target, partition_by="run_id"))
    found = files(target)
    assert found == [
        f"run_id={name}/part-0.parquet" for name in sorted(["abc", "%41bc", "a.b%2E", "a%42%43", "x%20y"])
    ]
    # No two folders are one where a file system ignores case.
    assert len({name.casefold() for name in found}) == len(NAMES)
    face.take(scan.sink_parquet(target, partition_by="phase"))
    assert all(name.count("/") == 1 and name.startswith("phase=") for name in files(target))
    assert pl.read_parquet_schema(target / files(target)[0]).keys() == {
        "run_id",
        "_step",
        "epoch",
        "loss",
        "ok",
    }


def test_few_files_are_open_at_once(
    face: Face, scan: Untyped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_OPEN", 2)
    monkeypatch.setattr("runql.resources.runs.histories.spool.ROW_GROUP", 10)
    target = tmp_path / "rows"
    face.take(scan.sink_parquet(target, partition_by="phase"))
    assert any(name.endswith("part-1.parquet") for name in files(target))
    like = expected(face, scan, with_empty=False)
    assert read(target, ["phase"], like).equals(like)


def test_a_folder_replaces_an_earlier_one(face: Face, scan: Untyped, tmp_path: Path) -> None:
    target = tmp_path / "rows"
    face.take(scan.sink_parquet(target, partition_by=["run_id", "phase"]))
    face.take(scan.sink_parquet(target, partition_by="epoch"))
    assert all(name.startswith("epoch=") for name in files(target))
    like = expected(face, scan, with_empty=True)
    assert read(target, ["epoch"], like).equals(like)


@pytest.mark.parametrize("what", ["a file", "a file in it", "a folder in it", "a link", "a link in it"])
def test_what_no_call_has_written_stays(
    what: str, face: Face, scan: Untyped, server: RunningServer, tmp_path: Path
) -> None:
    target, other = tmp_path / "rows", tmp_path / "other"
    other.mkdir()
    (other / "part-0.parquet").write_text("mine")
    if what == "a file":
        target.write_text("mine")
    elif what == "a link":
        target.symlink_to(other)
    else:
        target.mkdir()
        if what == "a file in it":
            (target / "notes.txt").write_text("mine")
        elif what == "a folder in it":
            (target / "notes").mkdir()
        else:
            (target / "run_id=abc").symlink_to(other)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LocalFileError, match="no folder that sink_parquet wrote"):
        face.take(scan.sink_parquet(target, partition_by="run_id"))
    assert server.requests == []
    assert sorted(tmp_path.rglob("*")) == before
    assert (other / "part-0.parquet").read_text() == "mine"


def test_without_rows_there_are_the_columns(
    face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    server.seed(project, [SeedRun(name="r", history=[])])
    runs: Untyped = face.runs(face.client(server.url, server.api_key), server.entity, project)
    face.take(runs.scan_histories(["loss"]).sink_parquet(tmp_path / "rows", partition_by="run_id"))
    assert files(tmp_path / "rows") == ["run_id=__HIVE_DEFAULT_PARTITION__/part-0.parquet"]
    found = pl.scan_parquet(tmp_path / "rows", hive_partitioning=True).collect()
    assert (found.height, {*found.columns}) == (0, {"run_id", "_step", "loss"})


def test_arguments_are_refused_before_anything_is_sent(
    face: Face, scan: Untyped, server: RunningServer, project: str, tmp_path: Path
) -> None:
    runs: Untyped = face.runs(face.client(server.url, server.api_key), server.entity, project)
    keyed = runs.scan_histories(["loss"], schema={"loss": float})
    for given, error, message in (
        ("acc", ValueError, "no column of the rows: they have 'run_id', '_step', 'loss'"),
        ("loss", ValueError, "numbers with fractions"),
        ([], ValueError, "empty"),
        (["run_id", "run_id"], ValueError, "twice"),
        (["run_id", "_step", "loss"], ValueError, "fractions"),
        (3, TypeError, "or a list, not 3"),
        ([3], TypeError, "by str, not 3"),
    ):
        with pytest.raises(error, match=message):
            face.take(keyed.sink_parquet(tmp_path / "rows", partition_by=given))
    text = runs.scan_histories(["loss"], schema={"loss": str})
    with pytest.raises(ValueError, match="names every column"):
        face.take(text.sink_parquet(tmp_path / "rows", partition_by=["run_id", "_step", "loss"]))
    assert server.requests == []
    assert [*tmp_path.iterdir()] == []


def test_columns_that_the_rows_show_to_be_unusable_keep_the_rows(
    face: Face, scan: Untyped, server: RunningServer, tmp_path: Path
) -> None:
    target = tmp_path / "rows"
    for by, message in (("loss", "a column of double"), ("nothing", "which no row has")):
        with pytest.raises(ValueError, match=message):
            face.take(scan.sink_parquet(target, partition_by=by))
        assert not target.exists()
    server.clear()
    face.take(scan.sink_parquet(target, partition_by="run_id"))
    assert [str(request.operation) for request in server.requests] == ["ListRuns"]
    assert beside(target) == []


def test_an_interrupted_call_is_resumed(
    face: Face, scan: Untyped, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier folder stays, or comes back; rows that were read are not read again."""
    target = tmp_path / "rows"
    face.take(scan.sink_parquet(target, partition_by="epoch"))
    before = files(target)

    def cut(new: Path, target: Path) -> None:
        target.rename(partitions._old(target))  # pyright: ignore[reportPrivateUsage] - where a kill would leave it
        raise IncompleteHistoriesError([], ["x"], "killed")

    with monkeypatch.context() as patch:
        patch.setattr("runql.resources.runs.histories.spool.replace_folder", cut)
        with pytest.raises(IncompleteHistoriesError):
            face.take(scan.sink_parquet(target, partition_by="run_id"))
    assert not target.exists()
    partitions.restore_folder(target)
    assert files(target) == before
    target.rename(partitions._old(target))  # pyright: ignore[reportPrivateUsage] - as above
    server.clear()
    face.take(scan.sink_parquet(target, partition_by="run_id"))
    assert [str(request.operation) for request in server.requests] == ["ListRuns"]
    assert len(files(target)) == len(NAMES)
    assert beside(target) == []
