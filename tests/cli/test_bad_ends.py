"""Ends that nobody plans: files that exist, full disks, closed pipes, Ctrl-C. Each is one line, and leaves no half file."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.architecture.test_imports import ROOT
from tests.cli.invoking import COMMAND, Done, environment, run
from tests.patience import PATIENCE

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly

# A process whose files are limited in size would leave cut bytecode, which no later process can import.
UNWRITTEN = {"PYTHONDONTWRITEBYTECODE": "1"}
FILES = ["runs.json", "runs.jsonl", "runs.csv", "runs.parquet", "runs.arrow", "runs.txt"]
SCHEMA = ROOT / "schema" / "wandb.graphql"
EVERY_FULL_DISK = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    runs = [SeedRun(name=f"run-{number:04}", notes="n" * 200) for number in range(600)]
    with RunningServer() as server:
        server.seed("p", runs)
        yield server


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_exists_is_kept_unless_force_is_given(
    server: RunningServer, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_text("precious")
    server.clear()
    done = Done("ls", "local/p", "-o", str(file), server=server)
    assert done.code == 2
    assert done.said == f"runql ls: {file} exists: give --force to replace it, or another file"
    assert (server.requests, file.read_text()) == ([], "precious")
    assert Done("ls", "local/p", "--limit", "1", "-o", str(file), "--force", server=server).code == 0
    assert b"run-0000" in file.read_bytes() or file.suffix in {".parquet", ".arrow"}
    assert b"precious" not in file.read_bytes()


def test_a_link_stays_a_link(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real.csv")
    assert Done("ls", "local/p", "--limit", "1", "-o", str(link), "--force", server=server).code == 0
    assert link.is_symlink()
    assert "run-0000" in (tmp_path / "real.csv").read_text()


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        (".", 2, "is a folder: give a file"),
        ("runs.xml", 2, "runs.xml does not say how to write: give --format, one of table, json"),
        ("file.csv/runs.csv", 1, "cannot write"),
        ("n" * 300, 1, "the output file cannot be"),
    ],
)
def test_a_file_that_cannot_be_written(
    server: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.csv").write_text("a file, no folder")
    server.clear()
    done = Done("ls", "local/p", "-o", output, server=server)
    assert (done.code, said in done.said) == (code, True), done.stderr
    assert server.requests == []
    assert [each.name for each in tmp_path.iterdir()] == ["file.csv"]


def test_an_unknown_format_names_the_known_ones(server: RunningServer) -> None:
    done = Done("ls", "local/p", "--format", "xml", server=server, env={"COLUMNS": "200"})
    assert (done.code, done.stdout) == (2, "")
    assert all(name in done.stderr for name in ("'xml'", "table", "json", "jsonl", "csv", "parquet", "arrow"))


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_a_disk_that_fills_leaves_no_file(server: RunningServer, tmp_path: Path, name: str) -> None:
    columns = "id,name,notes,url,path,created_at"
    done = subprocess.run(
        [*COMMAND, "ls", "local/p", "--columns", columns, "-o", str(tmp_path / name)],
        env=environment(server) | UNWRITTEN,
        # A limit of the system on the size of a file: writing fails as on a full disk.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"runql ls: cannot write {tmp_path / name}: File too large\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@EVERY_FULL_DISK
@pytest.mark.parametrize("chosen", ["table", "json", "jsonl", "csv", "parquet"])
def test_stdout_on_a_full_disk(server: RunningServer, chosen: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "ls", "local/p", "--format", chosen],
            env=environment(server),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "runql ls: cannot write the output: No space left on device\n",
    )


@EVERY_FULL_DISK
def test_a_device_is_written_to_as_it_is(server: RunningServer) -> None:
    done = run("ls", "local/p", "--limit", "1", "--format", "csv", "-o", "/dev/full", server=server)
    assert (done.returncode, done.stderr) == (
        1,
        "runql ls: cannot write /dev/full: No space left on device\n",
    )
    assert Path("/dev/full").is_char_device()
    written = run("ls", "local/p", "--limit", "1", "--format", "csv", "-o", "/dev/stdout", server=server)
    assert written.stdout.splitlines()[1].startswith("run-0000,")


@pytest.mark.long
@pytest.mark.parametrize("chosen", ["table", "json", "jsonl", "csv", "parquet"])
def test_a_closed_pipe_ends_quietly(server: RunningServer, chosen: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "ls", "local/p", "--columns", "id,notes,url", "--format", chosen],
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=PATIENCE), said) == (0, b"")


WITHOUT_A_SERVER = [["--version"], ["--help"], ["ls", "--help"], ["drift", "--schema", str(SCHEMA)]]


@pytest.mark.parametrize("arguments", WITHOUT_A_SERVER, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stdout and stderr"])
def test_a_closed_pipe_ends_help_and_checks_quietly(arguments: list[str], both: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(None),
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr or b"") == (0, b"")


def test_a_key_that_the_disk_has_no_room_for_is_not_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "serve", "--new-key", "me", "--data-dir", str(tmp_path / "data")],
        env=environment(None) | UNWRITTEN,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"runql serve: cannot write the database in {tmp_path / 'data'}: ")
    assert done.stderr.count("\n") == 1


@EVERY_FULL_DISK
@pytest.mark.parametrize("arguments", WITHOUT_A_SERVER, ids=lambda arguments: arguments[0])
def test_help_and_checks_on_a_full_disk_say_so_in_a_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=environment(None),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    command, code = ("runql drift", 2) if arguments[0] == "drift" else ("runql", 1)
    assert (done.returncode, done.stderr) == (
        code,
        f"{command}: cannot write the output: No space left on device\n",
    )


def test_a_usage_error_keeps_its_code_where_nobody_reads_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    codes = [
        subprocess.run(
            [*COMMAND, *arguments], env=environment(None), stderr=writer, timeout=PATIENCE, check=False
        ).returncode
        for arguments in (["drift"], ["drift", "--nope"], ["ls", "--nope"], ["ls", "local/p", "--order", "x"])
    ]
    os.close(writer)
    assert codes == [3, 3, 2, 2]


def test_without_stdin_stdout_and_stderr_it_ends(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&- >&- 2>&-', "sh", *COMMAND, "ls", "local/p", "-o", str(file)],
        env=environment(server),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert len(file.read_text().splitlines()) == 601


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "local/p", "-o", "runs.csv"],
        ["ls", "local/p", "--format", "json"],
        ["history", "local/p/one", "-o", "rows.parquet"],
        ["download", "local/p/one", "-d", "files"],
        ["plot", "local/p/one", "--key", "loss", "-o", "loss.svg"],
        ["tag", "local/p/one", "best", "--yes", "--log", "tagged.jsonl"],
        ["drift", "responses", "--project", "local/p"],
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[-1:]),
)
def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        option = "--url" if arguments[0] == "drift" else "--base-url"
        process = subprocess.Popen(
            [*COMMAND, *arguments, option, url],
            # matplotlib keeps the fonts that it finds at home.
            env=environment(None, {"WANDB_API_KEY": "0" * 40, "MPLCONFIGDIR": str(tmp_path.parent)}),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()  # the request is on its way, and gets no response
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, stderr) == (130, "", f"runql {arguments[0]}: interrupted\n")
    assert list(tmp_path.iterdir()) == []


class RefusingLater(httpx.HTTPTransport):
    """Passes one request on; the server refuses the others."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the first request, and refuse a later one."""
        self.passed += 1
        return super().handle_request(request) if self.passed == 1 else httpx.Response(403, request=request)


def refusing_later(*, base_url: str | None) -> Api:
    """An API whose server refuses the second request."""
    return Api(base_url=base_url, transport=RefusingLater())


@pytest.mark.parametrize("chosen", ["table", "json", "csv", "parquet", "arrow"])
def test_a_refusal_in_the_middle_of_a_list_leaves_nothing(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setattr("runql.resources.api.Api", refusing_later)
    done = Done("ls", "local/p", "--format", chosen, server=server)
    assert done.code == 1
    assert "403" in done.said
    file = tmp_path / "runs"
    filed = Done("ls", "local/p", "--format", chosen, "-o", str(file), server=server)
    assert (filed.code, filed.said) == (1, done.said)
    file.write_text("kept")
    forced = Done("ls", "local/p", "--format", chosen, "-o", str(file), "--force", server=server)
    assert (forced.code, file.read_text(), list(tmp_path.iterdir())) == (1, "kept", [file])


def test_lines_that_were_written_before_a_refusal_are_whole(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runql.resources.api.Api", refusing_later)
    done = Done("ls", "local/p", "--format", "jsonl", "--columns", "id", server=server)
    assert done.code == 1
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        f"run-{n:04}" for n in range(200)
    ]
