"""Formats of rows: the same values in each, strict JSON, whole files, and no control characters on a terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.cli.invoking import COMMAND, Done, environment, run
from tests.patience import PATIENCE

from runql.cli.console.frame_file import write_frame
from runql.cli.console.plain import plain
from runql.cli.console.rows import json_text
from runql.cli.console.table import cell
from runql.frames.batches import RowBatch
from runql.values import JSONValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

HOSTILE = "a\x1b[31mred\r\n\u202e\x9b2J\tend"
ROWS = "id,name,config.lr,config.deep,summary.loss,tags"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as server:
        server.seed(
            "p",
            [
                SeedRun(
                    name="one",
                    display_name="first",
                    config={"lr": 0.1, "deep": {"a": [1, None]}, "text": "é,\"'\n"},
                    summary={"loss": float("inf")},
                    tags=("x", "y"),
                ),
                SeedRun(name="two", display_name=HOSTILE, config={"lr": 2}, summary={"loss": 0.5}),
            ],
        )
        yield server


@pytest.mark.parametrize("name", ["runs.json", "runs.jsonl", "runs.csv", "runs.parquet", "runs.arrow"])
def test_each_format_holds_the_same_values(server: RunningServer, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    done = Done("ls", "local/p", "--columns", ROWS, "-o", str(file), server=server)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    match file.suffix:
        case ".json":
            rows = json.loads(file.read_text(), parse_constant=pytest.fail)
        case ".jsonl":
            rows = [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]
        case ".csv":
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines))
        case ".parquet":
            rows = pl.read_parquet(file).to_dicts()
        case _:
            rows = pl.read_ipc(file.read_bytes()).to_dicts()
    assert [list(row) for row in rows] == [ROWS.split(",")] * 2
    assert [row["id"] for row in rows] == ["one", "two"]
    assert rows[1]["name"] == HOSTILE
    assert [float(row["config.lr"]) for row in rows] == [0.1, 2.0]
    assert [float(row["summary.loss"]) for row in rows] == [math.inf, 0.5]
    deep, tags = rows[0]["config.deep"], rows[0]["tags"]
    assert (json.loads(deep) if isinstance(deep, str) else deep) == {"a": [1, None]}
    assert (json.loads(tags) if isinstance(tags, str) else tags) == ["x", "y"]


@pytest.mark.long
@pytest.mark.parametrize("chosen", ["parquet", "arrow"])
@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_one_library_is_enough_and_both_write_the_same(
    server: RunningServer, chosen: str, library: str, tmp_path: Path
) -> None:
    file = tmp_path / "runs"
    other = {"polars": "pyarrow", "pyarrow": "polars"}[library]
    done = without(
        [other], "ls", "local/p", "--columns", ROWS, "--format", chosen, "-o", str(file), server=server
    )
    assert (done.returncode, done.stderr) == (0, "")
    frame = pl.read_parquet(file) if chosen == "parquet" else pl.read_ipc(file.read_bytes())
    assert frame["config.lr"].to_list() == [0.1, 2.0]
    assert frame["summary.loss"].to_list() == [math.inf, 0.5]
    assert frame["tags"].to_list() == [["x", "y"], []]


def without(libraries: list[str], *arguments: str, server: RunningServer) -> subprocess.CompletedProcess[str]:
    """Run the command where libraries are not installed."""
    hide = (
        "import importlib.util, sys\n"
        f"hidden = {libraries!r}\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name in hidden else find(name, *a)\n"
        "sys.modules.update(dict.fromkeys(hidden))\n"
        "sys.argv[0] = 'runql'\n"
        "from runql.cli.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", hide, *arguments],
        env=environment(server),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_missing_extra_is_named_before_anything_is_sent(server: RunningServer, tmp_path: Path) -> None:
    server.clear()
    file = tmp_path / "runs.parquet"
    done = without(["polars", "pyarrow"], "ls", "local/p", "-o", str(file), server=server)
    assert done.returncode == 2
    assert "--format parquet needs polars (or pyarrow)" in done.stderr
    assert "pip install 'runql[polars]'" in done.stderr
    assert (server.requests, list(tmp_path.iterdir())) == ([], [])


def test_other_formats_need_no_extra_and_no_frame_library_is_imported(server: RunningServer) -> None:
    done = without(["polars", "pyarrow", "pandas"], "ls", "local/p", "--format", "csv", server=server)
    assert done.returncode == 0, done.stderr


def test_without_rows_the_formats_are_whole(server: RunningServer, tmp_path: Path) -> None:
    none = ("ls", "local/p", "--filter", '{"state": "killed"}', "--columns", "id,config.lr")
    assert Done(*none, "--format", "json", server=server).stdout == "[]\n"
    assert Done(*none, "--format", "jsonl", server=server).stdout == ""
    assert Done(*none, "--format", "csv", server=server).stdout == "id,config.lr\n"
    for name in ("none.parquet", "none.arrow"):
        assert Done(*none, "-o", str(tmp_path / name), server=server).code == 0
    assert pl.read_parquet(tmp_path / "none.parquet").shape == (0, 2)


def test_parquet_goes_through_a_pipe(server: RunningServer) -> None:
    done = subprocess.run(
        [*COMMAND, "ls", "local/p", "--format", "parquet"],
        env=environment(server),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert pl.read_parquet(io.BytesIO(done.stdout))["id"].to_list() == ["one", "two"]


def test_a_frame_of_uneven_rows_has_the_union_of_columns() -> None:
    rows: list[dict[str, JSONValue]] = [{"a": 1}, {"b": {}, "a": 2.5}, {"c": "x" * 3}]
    file = io.BytesIO()
    write_frame(file, [RowBatch(rows[:2]), RowBatch(rows[2:])], None, "parquet")
    file.seek(0)
    frame = pl.read_parquet(file)
    assert frame.columns == ["a", "b", "c"]
    assert frame["a"].to_list() == [1.0, 2.5, None]


def test_json_is_strict_and_printable() -> None:
    assert json_text({"a": [math.nan, -math.inf]}) == '{"a": ["NaN", "-Infinity"]}'
    odd = "\x1b\x7f\x9b\u202e\ud800é😀\U000e0001"
    assert json.loads(json_text(odd)) == odd
    assert json_text(odd).isprintable()
    assert "é😀" in json_text(odd)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (3, "3"),
        (0.1 + 0.2, "0.3"),
        (1795573682.07, "1795573682.07"),
        (1e300, "1e+300"),
        ("a\nb", "a\\nb"),
        (["x", "y"], "x, y"),
        ([1, "x"], '[1, "x"]'),
        ({"a": "\x1b"}, r'{"a": "\u001b"}'),
    ],
)
def test_cells_are_for_people(value: JSONValue, shown: str) -> None:
    assert cell(value) == shown


def on_terminal(*arguments: str, server: RunningServer, width: int) -> tuple[str, int]:
    """What the command writes to a terminal of a width, and its exit code."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(server, {"COLUMNS": str(width), "TERM": "xterm"}),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        close_fds=True,
    )
    os.close(terminal)
    received = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # how Linux says that the other end was closed
            break
        if not chunk:
            break
        received += chunk
    os.close(controller)
    return received.decode(), process.wait(timeout=PATIENCE)


@pytest.mark.long
@pytest.mark.parametrize("chosen", ["table", "csv", "json", "jsonl"])
def test_no_name_is_raw_on_a_terminal(server: RunningServer, chosen: str) -> None:
    shown, code = on_terminal("ls", "local/p", "--format", chosen, server=server, width=200)
    assert code == 0
    assert plain(HOSTILE) == r"a\x1b[31mred\r\n\u202e\x9b2J\tend"
    assert r"1b[31mred\r\n\u202e" in shown
    for character in ("\x1b[31m", "\u202e", "\x9b", "\t"):
        assert character not in shown


def test_no_message_is_raw_on_a_terminal(server: RunningServer) -> None:
    shown, code = on_terminal("show", "local/p/\x1b[31mx", server=server, width=80)
    assert code in {1, 2}
    assert "\x1b[31m" not in shown


def test_bytes_are_not_for_a_terminal(server: RunningServer) -> None:
    shown, code = on_terminal("ls", "local/p", "--format", "parquet", server=server, width=80)
    assert code == 2
    assert "parquet is not for a terminal: give -o FILE, or pipe it" in shown


def test_a_narrow_terminal_shows_a_block_for_each_run(server: RunningServer) -> None:
    done = run("ls", "local/p", "--limit", "1", server=server, env={"COLUMNS": "40"})
    lines = done.stdout.splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert lines[:3] == ["id: one", "name: first", "state: finished"]
    wide = run("ls", "local/p", "--limit", "1", server=server, env={"COLUMNS": "120"})
    assert len(wide.stdout.splitlines()) == 2


@pytest.mark.long
@pytest.mark.parametrize("chosen", ["table", "json", "jsonl", "csv"])
def test_a_stream_of_another_encoding_gets_escapes(chosen: str) -> None:
    with RunningServer() as server:
        server.seed("p", [SeedRun(name="one", display_name="é😀")])
        env = {"PYTHONIOENCODING": "ascii"}
        done = run("ls", "local/p", "--columns", "name", "--format", chosen, server=server, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    if chosen in {"json", "jsonl"}:
        found = json.loads(done.stdout)
        assert (found if chosen == "jsonl" else found[0]) == {"name": "é😀"}
    else:
        assert done.stdout == "name\n\\xe9\\U0001f600\n"
