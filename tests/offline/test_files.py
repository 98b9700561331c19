"""Files that are whole, cut, damaged or hostile: what is whole is read, and every mistake is named."""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.offline import writing
from tests.offline.conftest import age
from tests.profiles import examples

import runql
from runql_server.access import auth
from runql_server.offline.errors import OfflineFileError
from runql_server.offline.framing import BLOCK, RecordFile
from runql_server.offline.messages import UndecodableError, decode
from runql_server.offline.run_import import RunImport
from runql_server.runs import lines
from runql_server.storage.store import Store

SIZES = st.one_of(
    st.integers(0, 60),
    st.integers(BLOCK - 30, BLOCK + 30),
    st.integers(2 * BLOCK - 40, 2 * BLOCK + 20),
)
PAYLOADS = st.lists(SIZES.map(lambda size: bytes(index % 251 for index in range(size))), max_size=6)


@contextmanager
def file_of(content: bytes) -> Generator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run-a.wandb"
        path.write_bytes(content)
        yield path


def read(content: bytes) -> tuple[list[bytes], RecordFile]:
    with file_of(content) as path:
        reader = RecordFile(path)
        return list(reader.read()), reader


@given(payloads=PAYLOADS)
@examples(200)
def test_records_come_back_over_the_bounds_of_blocks(payloads: list[bytes]) -> None:
    found, reader = read(writing.START + writing.framed(payloads))
    assert found == payloads
    assert reader.stop.end == "whole"


@given(payloads=PAYLOADS, share=st.floats(0, 1))
@examples(300)
def test_a_file_cut_anywhere_gives_the_records_before_the_cut(payloads: list[bytes], share: float) -> None:
    content = writing.START + writing.framed(payloads)
    cut = int(share * len(content))
    found, reader = read(content[:cut])
    assert found == payloads[: len(found)]
    complete = len(writing.START) + len(writing.framed(found))
    assert complete <= max(cut, len(writing.START))
    if len(found) < len(payloads):
        following = len(writing.START) + len(writing.framed(payloads[: len(found) + 1]))
        assert following > cut
    assert reader.stop.end in {"whole", "cut"}


@given(payloads=PAYLOADS, place=st.integers(min_value=0), flip=st.integers(1, 255))
@examples(300)
def test_a_changed_byte_never_changes_a_record(payloads: list[bytes], place: int, flip: int) -> None:
    content = bytearray(writing.START + writing.framed(payloads))
    content[place % len(content)] ^= flip
    try:
        found, reader = read(bytes(content))
    except OfflineFileError:
        assert place % len(content) < len(writing.START)
        return
    assert found == payloads[: len(found)]
    if found != payloads:
        assert reader.stop.end in {"cut", "damaged"}
        assert reader.stop.offset <= len(content)


def test_a_file_that_grows_is_read_on(tmp_path: Path) -> None:
    content = writing.START + writing.framed([b"one", b"two" * 20_000])
    path = tmp_path / "a.wandb"
    found: list[bytes] = []
    reader = RecordFile(path)
    for size in (0, 3, 7, 12, 17, 40_000, len(content)):
        path.write_bytes(content[:size])
        found += reader.read()
    assert found == [b"one", b"two" * 20_000]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "data")
    with made.writing() as connection:
        auth.add_key(connection, auth.new_key())
    yield made
    made.close()


def rows_of(store: Store, imported: RunImport) -> list[dict[str, object]]:
    assert imported.number is not None
    with store.reading() as connection:
        texts = lines.tail(connection, "history", imported.number, 1_000)
    return [json.loads(text) for text in texts]


HOSTILE = [
    {"run": {"run_id": "a/b"}},
    {"run": {"run_id": ""}},
    {"run": {"run_id": "x", "project": "../up"}},
    {"run": {"run_id": "x", "entity": "a?b"}},
]


@pytest.mark.parametrize("fields", HOSTILE, ids=lambda fields: str(fields["run"]))
def test_a_run_with_a_name_that_no_run_can_have_is_refused(
    store: Store, tmp_path: Path, fields: dict[str, object]
) -> None:
    path = writing.write(tmp_path, [writing.record(fields)])
    with pytest.raises(OfflineFileError, match="cannot be stored: invalid"):
        RunImport(store, path).advance()


def test_strange_values_are_left_out_and_said(store: Store, tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    item = {"nested_key": ["k"] * 1_000, "value_json": "1"}
    strange = writing.record(
        {"history": {"item": [{"key": "deep", "value_json": deep}, item, {"key": "bad", "value_json": "{"}]}}
    )
    timed = writing.row(_timestamp=float("inf"), _step=2**80)
    path = writing.write(
        tmp_path,
        [
            writing.run(start_time={"seconds": 2**62}),
            strange,
            timed,
            writing.record(
                {
                    "files": {
                        "files": [{"path": "../../etc/passwd"}, {"path": "/etc/passwd"}, {"path": "none"}]
                    }
                }
            ),
            writing.record({"output_raw": {"line": "x\ud7ff\n", "timestamp": {"seconds": -(2**62)}}}),
            writing.exit_record(),
        ],
    )
    imported = RunImport(store, path)
    imported.advance()
    assert [row["_step"] for row in rows_of(store, imported)] == [0, 1]
    assert sum(imported.state.left_out.values()) == 3
    assert imported.missing_files() == ["../../etc/passwd", "/etc/passwd", "none"]


def test_an_unknown_record_is_left_out_and_said(store: Store, tmp_path: Path) -> None:
    unknown = b"\xfa\x3f\x03abc"  # field 1023, a str
    path = writing.write(tmp_path, [writing.run(), unknown, writing.row(a=1), writing.exit_record(2)])
    imported = RunImport(store, path)
    imported.advance()
    assert dict(imported.state.left_out) == {"unknown (1023)": 1}
    assert [row["a"] for row in rows_of(store, imported)] == [1]


@given(noise=st.lists(st.binary(max_size=200), max_size=5), place=st.integers(0, 3))
@examples(120)
def test_noise_in_right_frames_raises_no_foreign_error(noise: list[bytes], place: int) -> None:
    records = [writing.run(), writing.row(a=1), writing.row(a=2)]
    with TemporaryDirectory() as folder:
        path = writing.write(Path(folder), [*records[:place], *noise, *records[place:]])
        made = Store(Path(folder) / "data")
        try:
            with made.writing() as connection:
                auth.add_key(connection, auth.new_key())
            imported = RunImport(made, path)
            try:
                imported.advance()
            except OfflineFileError:
                return
            if imported.number is not None:
                found = [row["a"] for row in rows_of(made, imported) if "a" in row]
                assert found == [1, 2][: len(found)]
        finally:
            made.close()


@given(data=st.binary(max_size=300))
@examples(300)
def test_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        decode(data)
    except UndecodableError:
        return


NOT_RUNS = {
    "0 bytes": (b"", "has 0 bytes and holds no run: it ends before the first record"),
    "header alone": (writing.START, "has 7 bytes and holds no run"),
    "another format": (b"PK\x03\x04" + bytes(100), "is no .wandb file"),
    "another version": (writing.START[:-1] + b"\x07" + bytes(50), "has version 7 of the .wandb format"),
    "no run": (writing.START + writing.framed([writing.row(a=1)]), "holds no run"),
    "no message": (writing.START + writing.framed([b"\xff\xff\xff"]), "is no message"),
}


@pytest.mark.parametrize("name", NOT_RUNS)
def test_what_is_no_run_is_refused(tmp_path: Path, name: str) -> None:
    content, message = NOT_RUNS[name]
    path = tmp_path / "run-a.wandb"
    path.write_bytes(content)
    with pytest.raises(runql.LocalFileError, match=message):
        runql.open(path)


def test_paths_without_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(runql.LocalFileError, match="there is no such file or folder"):
        runql.open(tmp_path / "none")
    with pytest.raises(runql.LocalFileError, match=r"holds no \.wandb files"):
        runql.open(tmp_path)
    with pytest.raises(ValueError, match="must name a file or folder"):
        runql.open("")
    with pytest.raises(TypeError, match="must be a str or a path, not int"):
        runql.open(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - what is tested


def test_a_wrong_checksum_is_named_and_the_rows_before_it_are_there(tmp_path: Path) -> None:
    before = [writing.run(), writing.row(loss=1.5)]
    path = writing.write(tmp_path, [*before, writing.row(loss=2.5), writing.exit_record()])
    content = bytearray(path.read_bytes())
    damaged = len(writing.START) + len(writing.framed(before))
    content[damaged + 9] ^= 1
    path.write_bytes(content)
    with pytest.warns(runql.OfflineRunsWarning, match=rf"a checksum is wrong \(at byte {damaged}\)") as said:
        opened = runql.open(tmp_path, follow=False)
    with opened:
        assert [row["loss"] for row in opened.api.run("abc").scan_history()] == [1.5]
        assert len(said) == 1
        assert said[0].filename == __file__


def test_a_cut_file_beside_whole_ones_is_said(tmp_path: Path) -> None:
    whole = writing.write(tmp_path, [writing.run("whole"), writing.exit_record()], name="whole")
    cut = writing.write(tmp_path, [writing.run("cut"), writing.row(a=1), writing.row(a=2)], name="cut")
    cut.write_bytes(cut.read_bytes()[:-3])
    empty = writing.write(tmp_path, [], name="empty")
    empty.write_bytes(b"")
    age(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        opened = runql.open(tmp_path, follow=False)
    with opened:
        assert sorted(opened.paths) == ["local/p/cut", "local/p/whole"]
        assert [row["a"] for row in opened.api.run("cut").scan_history()] == [1]
    assert whole.exists()
    assert any(str(cut) in str(each.message) and "ends inside a record" in str(each.message) for each in said)
    assert any(str(empty) in str(each.message) and "0 bytes" in str(each.message) for each in said)
