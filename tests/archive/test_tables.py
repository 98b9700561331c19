"""Tables of rows: what is read is what was written, value for value, and types are columns where they can be."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.archive.reading import plain
from tests.profiles import examples

from runql import ArchiveError, JSONValue
from runql.archive.importing.uploads import ROWS, chunks
from runql.archive.names import file_paths, run_folders
from runql.archive.tables import read_rows, write_rows

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=5)
)
VALUES: st.SearchStrategy[JSONValue] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["loss", "n", "#run", "#rest", "", "run_id", "a.b", "ü", "nul\0", "\ud800"]) | st.text(
    max_size=3
)
TABLES = st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=8)


@given(TABLES)
@example([{"a": 1}, {"a": 1.0}, {"a": True}, {"a": None}, {}])
@example([{"a": math.nan}, {"a": -0.0}, {"a": math.inf}])
@example([{"a": 2**63 - 1}, {"a": -(2**63)}])
@example([{"a": 2**63}])
@example([{"a": 1, "b": 1}, {"b": 1, "a": 1.5}, {"c": None, "#order": 1, "b": 2}])
@examples(200)
def test_rows_come_back_value_for_value(rows: list[dict[str, JSONValue]]) -> None:
    owners = [f"run {place}" for place in range(len(rows))]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write_rows(path, rows, owners)
        found = list(read_rows(path))
    assert [owner for owner, _ in found] == owners
    assert [plain(row) for _, row in found] == [plain(row) for row in rows]
    assert [[*row] for _, row in found] == [[*row] for row in rows]


def test_a_key_of_one_type_is_a_column(tmp_path: Path) -> None:
    rows: list[dict[str, JSONValue]] = [
        {"f": 1.5, "i": 3, "b": True, "s": "x", "mixed": 1, "nested": {"a": 1}},
        {"f": math.nan, "i": 4, "mixed": 1.5, "nested": []},
    ]
    write_rows(tmp_path / "t.parquet", rows, ["r", "r"])
    schema = pq.ParquetFile(tmp_path / "t.parquet").schema_arrow
    types = dict(zip(schema.names, map(str, schema.types), strict=True))
    assert types == {
        "#run": "dictionary<values=string, indices=int32, ordered=0>",
        "f": "double",
        "i": "int64",
        "b": "bool",
        "s": "string",
        "#rest": "string",
        "#order": "dictionary<values=string, indices=int32, ordered=0>",
    }


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_another_file_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(ArchiveError, match="cannot be read"):
        list(read_rows(tmp_path / "t.parquet"))
    with pytest.raises(ArchiveError, match="is missing from the archive"):
        list(read_rows(tmp_path / "none.parquet"))


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), unique=True, max_size=8
    )
)
@example(["a", "A", "ä", "a\u0308", "Ä"])
@example(["a", "a/b", "A/c"])
@example(["con", "x:y", "../up", "/abs", "a//b", ".", "x" * 300, "a\\b"])
@examples(200)
def test_files_lie_inside_and_apart(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        paths = file_paths(root, "files/run", "run", names)
        assert set(paths) == set(names)
        lowered = [path.casefold() for path in paths.values()]
        assert len({*lowered}) == len(names)
        for path in paths.values():
            target = root / path
            assert target.resolve().is_relative_to(root.resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"")
            assert not path.endswith((".", " "))


def test_folders_of_runs_lie_apart(tmp_path: Path) -> None:
    found = run_folders(tmp_path, ["a", "A", "con", "a/b", "..", "ok"])
    assert found == {"a": "files/a", "A": None, "con": None, "a/b": None, "..": None, "ok": "files/ok"}


def test_posts_are_cut_by_run_and_by_size() -> None:
    rows: list[tuple[str, dict[str, JSONValue]]] = [("a", {"n": n}) for n in range(ROWS + 1)]
    long: dict[str, JSONValue] = {"text": "x" * (1 << 20)}
    rows += [("b", long) for _ in range(5)]
    found = [(chunk.run, chunk.offset, len(chunk.lines)) for chunk in chunks("history", rows)]
    assert found == [("a", 0, ROWS), ("a", ROWS, 1), ("b", 0, 2), ("b", 2, 2), ("b", 4, 1)]


def test_console_lines_keep_their_numbers_and_times() -> None:
    rows: list[tuple[str, dict[str, JSONValue]]] = [
        ("a", {"number": 0, "line": "x", "timestamp": "2026-01-02T03:04:05.123456789"}),
        ("a", {"number": 1, "line": "y", "timestamp": "2026-01-02T03:04:06", "level": "error"}),
        ("a", {"number": 7, "line": "z"}),
    ]
    first, second = chunks("console", rows)
    assert (first.offset, first.lines) == (
        0,
        ["2026-01-02T03:04:05.123456789 x", "ERROR 2026-01-02T03:04:06 y"],
    )
    assert (second.offset, second.lines) == (7, ["z"])
