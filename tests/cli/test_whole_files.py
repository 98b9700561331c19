"""Files of many rows: portions that differ in columns and types make one file, which is whole or not there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.cli.invoking import Done

from runql.cli.console import frame_file, rows, spool
from runql.cli.console.frame_file import FrameFormat, write_frame
from runql.errors import LocalFileError
from runql.frames.batches import Batch, ColumnBatch, RowBatch
from runql.values import JSONValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 3000
FORMATS: list[FrameFormat] = ["parquet", "arrow"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A run whose rows change in the middle: other keys, and floats after integers."""
    with RunningServer() as server:
        server.seed(
            "p", [SeedRun(name="one", history=history(ROWS)), SeedRun(name="two", history=history(5))]
        )
        yield server


def history(count: int) -> Iterator[dict[str, JSONValue]]:
    for step in range(count):
        yield {
            "loss": step if step < count // 2 else step + 0.5,
            **({"late": "x"} if step > count - 3 else {}),
        }


def read(path: Path) -> list[dict[str, object]]:
    """The rows of a file, without missing values."""
    match path.suffix:
        case ".parquet":
            found = pl.read_parquet(path).to_dicts()
        case ".arrow":
            found = pl.read_ipc(path.read_bytes()).to_dicts()
        case ".csv":
            with path.open(newline="") as lines:
                found = [
                    {
                        **row,
                        "_step": int(row["_step"]),
                        "loss": float(row["loss"]),
                        "late": row["late"] or None,
                    }
                    for row in csv.DictReader(lines)
                ]
        case ".json":
            found = json.loads(path.read_text())
        case _:
            found = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        {name: row[name] for name in ("run", "_step", "loss", "late") if row.get(name) is not None}
        for row in found
    ]


@pytest.mark.parametrize("kept", [1 << 10, 1 << 24], ids=["on disk", "in memory"])
@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "json", "jsonl"])
def test_all_rows_of_two_runs_are_in_the_file(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, kept: int
) -> None:
    for module in (spool, frame_file):
        monkeypatch.setattr(module, "MOST_IN_MEMORY", kept)
    file = tmp_path / f"rows.{kind}"
    done = Done("history", "local/p/one", "local/p/two", "-o", str(file), server=server)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert read(file) == [
        {"run": f"local/p/{run}", "_step": step, **row}
        for run, count in (("one", ROWS), ("two", 5))
        for step, row in enumerate(history(count))
    ]
    assert [*tmp_path.iterdir()] == [file]


def test_a_metric_named_run_does_not_hide_the_run(tmp_path: Path) -> None:
    with RunningServer() as server:
        server.seed("p", [SeedRun(name="one", history=[{"run": "metric", "loss": 1}])])
        for kind in ("jsonl", "parquet"):
            file = tmp_path / f"rows.{kind}"
            assert Done("history", "local/p/one", "-o", str(file), server=server).code == 0
            assert [row["run"] for row in read(file)] == ["local/p/one"]


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_and_dicts_make_one_frame(kind: FrameFormat) -> None:
    batches: list[Batch] = [
        ColumnBatch({"a": pl.Series([1, 2]), "b": pl.Series(["x", None])}, 2),
        RowBatch([{"a": 2.5}, {"c": [1]}]),
    ]
    file = io.BytesIO()
    write_frame(file, batches, None, kind)
    file.seek(0)
    frame = pl.read_parquet(file) if kind == "parquet" else pl.read_ipc(file)
    assert frame.to_dict(as_series=False) == {
        "a": [1.0, 2.0, 2.5, None],
        "b": ["x", None, None, None],
        "c": [None, None, None, [1]],
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_the_columns_that_were_asked_for_lead_in_their_order(kind: FrameFormat) -> None:
    file = io.BytesIO()
    write_frame(file, [RowBatch([{"b": 1, "a": 2, "c": 3}])], ["c", "none", "a"], kind)
    file.seek(0)
    frame = pl.read_parquet(file) if kind == "parquet" else pl.read_ipc(file)
    assert frame.columns == ["c", "none", "a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_folder_of_temporary_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with spool.Spool[list[str]]() as kept, Path("/dev/full").open("wb", buffering=0) as full:
        with monkeypatch.context() as patch:
            patch.setattr(kept, "_file", full)
            with pytest.raises(LocalFileError, match=r"cannot keep rows in .*: No space left on device"):
                kept.add(["a"])
        assert list(kept) == []


def test_a_csv_pads_the_rows_that_came_before_a_column(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rows, "PORTION", 1)
    file = tmp_path / "x.csv"
    rows.write_rows([{"a": 1}, {"b": 2}, {"a": None, "c": "x"}], None, "csv", file)
    assert file.read_text() == "a,b,c\n1,,\n,2,\n,,x\n"
