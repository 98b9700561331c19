"""What Windows does otherwise: run by `test_windows.py` in a simulated one, and by itself on a real one."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import uvicorn
from tests.unit.settings import KEY

from runql import Api, ConfigurationError, LocalFileError, UnsafeNameError
from runql.cli.main import main
from runql.config import Settings, resolve_settings
from runql.resources.files.names import target_path
from runql.resources.runs.histories.spool import HistoriesSpool
from runql.transport.files.part_file import DAY, PartFile
from runql_codegen.fragment_modules import read_generated
from runql_server.http import listening
from runql_server.running import RunningServer
from runql_server.seed import Row, SeedRun
from runql_server.seed_artifacts import SeedArtifact
from runql_server.storage.lock import DataDirectoryError, DirectoryLock

UNSTORABLE: Final = (
    "CON", "nul.txt", "deep/aux.json", "com1", "a.txt:stream", "what?", "trailing.", "trailing ", "back\\slash",
    "a|b", "a<b", "tab\tbed", "deep/PRN",
)  # fmt: skip
LEADING_OUT: Final = (
    "..\\..\\x",
    "a\\..\\..\\x",
    "C:\\x",
    "c:x",
    "C:/x",
    "\\\\host\\share\\x",
    "\\x",
    "//host/share/x",
    "../x",
)
"""The embedded server refuses to store these; another server may not."""
STORABLE: Final = ("a.txt", "deep/console.txt", "com10.csv", "é.bin", "con_.txt", ".hidden")
ROWS: Final[list[Row]] = [{"_step": step, "loss": 1 / (step + 1), "träger": "ü → ∞"} for step in range(120)]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        running.seed(
            "vision",
            [
                SeedRun(
                    name=f"run{n}",
                    display_name="naïve → ∞",
                    config={"lr": 0.1},
                    summary={"acc": 0.9},
                    history=ROWS,
                )
                for n in range(3)
            ],
        )
        names = (*UNSTORABLE, *STORABLE, "A.TXT")
        running.seed_artifacts(
            "vision",
            [
                SeedArtifact(name="odd", files={name: name.encode() for name in names}),
                SeedArtifact(name="plain", files={"deep/weights.bin": bytes(100_000), "b.txt": b"b"}),
            ],
        )
        yield running


@pytest.fixture
def api(server: RunningServer) -> Iterator[Api]:
    with Api(base_url=server.url, api_key=server.api_key) as opened:
        yield opened


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_module_is_imported() -> None:
    count = 0
    for package in ("runql", "runql_server", "runql_codegen", "runql_graphql"):
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, package + "."):
            if ".training" not in module.name and module.name.rpartition(".")[2] not in {
                "__main__",
                "_demo_script",
            }:
                importlib.import_module(module.name)
                count += 1
    assert count > 400


# -- the server --------------------------------------------------------------------------------------------------


def test_a_port_belongs_to_one_server() -> None:
    first = listening.bind("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match=r"in use|permitted|forbidden|access"):
            listening.bind("127.0.0.1", first.getsockname()[1])
    finally:
        first.close()


def test_a_data_directory_belongs_to_one_server(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    with pytest.raises(DataDirectoryError, match=f"is in use by the server with process id {os.getpid()}"):
        DirectoryLock(tmp_path)
    first.abandon()
    second = DirectoryLock(tmp_path)
    assert second.after_crash
    second.release()
    third = DirectoryLock(tmp_path)
    assert not third.after_crash
    third.release()


def test_a_server_leaves_no_open_file_in_its_folder() -> None:
    with RunningServer() as running:
        running.seed("p", [SeedRun(history=[{"loss": 1.0}])])
        folder = running.data_dir
        with Api(base_url=running.url, api_key=running.api_key) as api:
            assert api.runs("p")[0].scan_history().to_polars().height == 1
    assert not folder.exists()


# -- files from the server ---------------------------------------------------------------------------------------


def test_names_that_windows_cannot_store_are_refused_and_the_others_saved(api: Api, tmp_path: Path) -> None:
    root = tmp_path / "root" / "deep"
    with pytest.raises(UnsafeNameError) as caught:
        api.artifact("vision/odd:v0").download(root=root)
    refused = set(caught.value.refused)
    assert refused >= set(UNSTORABLE)
    assert refused - set(UNSTORABLE) in ({"A.TXT"}, {"a.txt"}), "they differ in case alone"
    assert files_below(tmp_path) == {f"root/deep/{name}" for name in {*STORABLE, "A.TXT"} - refused}


@pytest.mark.parametrize("name", LEADING_OUT)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeNameError):
        target_path(tmp_path, name)


def test_a_file_that_is_open_keeps_its_content_and_nothing_is_left_beside_it(
    api: Api, tmp_path: Path
) -> None:
    target = tmp_path / "b.txt"
    target.write_bytes(b"old")
    with target.open("rb"), pytest.raises(LocalFileError, match="used by another process"):
        api.artifact("vision/plain:v0").download(root=tmp_path)
    assert files_below(tmp_path) <= {"b.txt", "deep/weights.bin"}
    assert target.read_bytes() == b"old"
    api.artifact("vision/plain:v0").download(root=tmp_path)
    assert target.read_bytes() == b"b"
    assert files_below(tmp_path) == {"b.txt", "deep/weights.bin"}


def test_a_folder_in_the_way_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    part = PartFile(tmp_path / "x")
    with pytest.raises(IsADirectoryError):
        part.publish()
    part.discard()
    assert files_below(tmp_path) == set()


def test_one_call_at_a_time_writes_a_file_of_many_runs(tmp_path: Path) -> None:
    first = HistoriesSpool(tmp_path / "x.parquet", "asked")
    with pytest.raises(LocalFileError, match="another call is writing it"):
        HistoriesSpool(tmp_path / "x.parquet", "asked")
    first.close()
    HistoriesSpool(tmp_path / "x.parquet", "asked").close()


def test_two_writers_of_one_file_have_files_of_their_own(tmp_path: Path) -> None:
    target = tmp_path / "x.bin"
    first, second = PartFile(target), PartFile(target)
    first.write(b"first")
    second.write(b"second")
    second.publish()
    assert target.read_bytes() == b"second"
    first.publish()
    assert target.read_bytes() == b"first"
    assert files_below(tmp_path) == {"x.bin"}


def test_what_a_killed_writer_left_is_removed_after_a_day(tmp_path: Path) -> None:
    target = tmp_path / "x.bin"
    killed = PartFile(target)
    killed.write(b"half")
    killed.file.close()
    [left] = files_below(tmp_path)
    day_ago = time.time() - DAY - 60
    os.utime(tmp_path / left, (day_ago, day_ago))
    next_one = PartFile(target)
    next_one.write(b"whole")
    next_one.publish()
    assert files_below(tmp_path) == {"x.bin"}


def test_rows_go_to_parquet_and_the_parts_are_removed(api: Api, tmp_path: Path) -> None:
    target = tmp_path / "rows.parquet"
    api.runs("vision").scan_histories(keys=["loss"], format="polars").sink_parquet(target)
    assert files_below(tmp_path) == {"rows.parquet"}
    api.runs("vision").scan_histories(keys=["loss"], format="polars").sink_parquet(target)
    assert files_below(tmp_path) == {"rows.parquet"}


# -- settings ----------------------------------------------------------------------------------------------------


def resolved(home: Path) -> Settings:
    """The settings of a user whose files are below ``home``."""
    return resolve_settings(environ={}, home=home, cwd=home)


@pytest.mark.parametrize("name", ["_netrc", ".netrc"])
def test_lines_of_netrc_may_end_as_on_windows(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(f"machine api.wandb.ai\r\n  login user\r\n  password {KEY}\r\n".encode())
    assert resolved(tmp_path).api_key.get_secret_value() == KEY


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_a_netrc_with_a_byte_order_mark_is_named_as_such(mark: str, tmp_path: Path) -> None:
    (tmp_path / "_netrc").write_bytes(f"machine api.wandb.ai login user password {KEY}\r\n".encode(mark))
    with pytest.raises(ConfigurationError, match="begins with a byte order mark") as caught:
        resolved(tmp_path)
    assert KEY not in str(caught.value)


def test_a_settings_file_of_an_editor_of_windows_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "wandb" / "settings"
    file.parent.mkdir(parents=True)
    file.write_bytes("\ufeff[default]\r\nentity = träger\r\n".encode())
    (tmp_path / "_netrc").write_bytes(f"machine api.wandb.ai login user password {KEY}\r\n".encode())
    assert resolved(tmp_path).entity == "träger"


def test_the_home_folder_may_be_named_with_a_backslash(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(f"machine api.wandb.ai login user password {KEY}\r\n".encode())
    found = resolve_settings(environ={"NETRC": "~\\keys"}, home=tmp_path, cwd=tmp_path)
    assert found.api_key.get_secret_value() == KEY


# -- the command -------------------------------------------------------------------------------------------------


def command(
    monkeypatch: pytest.MonkeyPatch, server: RunningServer, *arguments: str, encoding: str = "cp1252"
) -> tuple[object, str, str]:
    """Run the command with streams of a console's encoding; gives its exit code and what it wrote."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    with monkeypatch.context() as patched:
        for name, stream in streams.items():
            patched.setattr(sys, name, stream)
        patched.setattr(sys, "argv", ["runql", *arguments])
        for name, value in {
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_ENTITY": server.entity,
            "COLUMNS": "100",
        }.items():
            patched.setenv(name, value)
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    written: list[str] = []
    for stream in streams.values():
        stream.flush()
        buffer = stream.buffer
        assert isinstance(buffer, io.BytesIO)
        written.append(buffer.getvalue().decode(encoding))
    return code or 0, written[0], written[1]


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "local/vision"),
        ("ls", "local/vision", "--format", "json"),
        ("show", "local/vision/run0"),
        ("history", "local/vision/run0", "--key", "loss"),
        ("history", "local/vision/run0", "--key", "träger", "--format", "csv"),
        ("diff", "local/vision/run0", "local/vision/run1"),
        ("plot", "local/vision/run0", "--key", "loss"),
        ("ls", "local/vision", "--filter", "config.lr < ∞"),
        ("ls", "local/vision", "--columns", "name,config.nämé→"),
    ],
    ids=" ".join,
)
def test_consoles_show_what_their_encoding_has_and_escape_the_rest(
    arguments: tuple[str, ...], encoding: str, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = command(monkeypatch, server, *arguments, encoding=encoding)
    assert (code, "Traceback" in err) == (2 if "--filter" in arguments else 0, False), err
    assert out or err


def test_a_folder_that_the_console_cannot_spell_is_escaped(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        for each in sockets:
            each.close()

    monkeypatch.setattr(uvicorn.Server, "run", end)
    code, out, err = command(
        monkeypatch, server, "serve", "--port", "0", "--data-dir", str(tmp_path / "данные")
    )
    assert code == 0, err
    assert "export WANDB_API_KEY=" in out
    assert "\\u0434" in out


def test_the_demo_fits_a_console_of_cp1252(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = command(monkeypatch, server, "demo")
    assert code == 0, err
    assert len(out.splitlines()) > 10


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ls",
        "show",
        "history",
        "diff",
        "plot",
        "download",
        "tag",
        "set",
        "delete",
        "serve",
        "demo",
        "drift",
    ],
)
def test_every_help_fits_a_console_of_cp1252(
    name: str, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = command(monkeypatch, server, *([name] if name else []), "--help")
    assert code == 0
    assert "Usage" in out


def test_a_curve_of_a_console_without_blocks_is_drawn_with_its_characters(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = command(monkeypatch, server, "plot", "local/vision/run0", "--key", "loss")
    assert code == 0, err
    title, *drawn = out.splitlines()
    assert "naïve \\u2192" in title
    assert drawn
    assert "\\u" not in "".join(drawn), out


def test_a_file_of_rows_is_the_same_on_every_system(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "rows.csv"
    code, _, err = command(
        monkeypatch,
        server,
        "history",
        "local/vision/run0",
        "--key",
        "loss",
        "--key",
        "träger",
        "-o",
        str(target),
    )
    assert code == 0, err
    content = target.read_bytes()
    assert b"\r" not in content
    assert content.decode("utf-8").count("ü → ∞") == len(ROWS)


def test_a_download_by_the_command(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = command(monkeypatch, server, "download", "vision/plain:v0", "-d", str(tmp_path / "d"))
    assert code == 0, err
    assert files_below(tmp_path) == {"d/b.txt", "d/deep/weights.bin"}


# -- the code generator ------------------------------------------------------------------------------------------


def test_generated_sources_are_read_in_either_encoding(tmp_path: Path) -> None:
    for name, encoding in (("locale.py", "locale"), ("utf8.py", "utf-8")):
        (tmp_path / name).write_text('"""é – ü"""\n', encoding=encoding)
        assert read_generated(tmp_path / name) == '"""é – ü"""\n'
