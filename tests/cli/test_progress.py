"""Bars of commands: on a terminal at stderr, of calls that take longer than two seconds, and never in the output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.invoking import settings_of
from tests.unit.test_progress_bar import on_terminal

from runql import Api, Run
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly

RUNS, ROWS = 120, 500
PROGRAM = """
import itertools, os, sys
from runql import bars
ticks = itertools.count(0, {seconds})
bars.clock = lambda: next(ticks)
os.environ.update({variables!r})
os.chdir({folder!r})
sys.argv = ["runql", *{arguments!r}]
from runql.cli.main import main
main()
"""

COMMANDS = [
    (["ls", "local/p", "--format", "json"], f"{RUNS}/{RUNS}"),
    (["ls", "local/p", "--columns", "id,config.lr", "-o", "runs.csv"], f"{RUNS}/{RUNS}"),
    (["ls", "local/p/one", "--files", "--format", "csv"], "2/?"),
    (["history", "local/p/one", "--format", "csv"], f"{ROWS}/{ROWS}"),
    (["history", "local/p/one", "-o", "rows.parquet"], f"{ROWS}/{ROWS}"),
    (["plot", "local/p/one", "--key", "loss", "-o", "loss.svg"], f"{ROWS}/?"),
    (["download", "local/p/one", "-d", "files"], "30.0/30.0 kB"),
    (["tag", "local/p", "x", "--all"], f"{RUNS}/{RUNS}"),
    (["set", "local/p", "group=x", "--all", "--yes"], f"{RUNS}/{RUNS}"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as server:
        server.seed("p", [SeedRun(name="one", history=({"loss": step / 2} for step in range(ROWS)))])
        server.seed("p", [SeedRun(name=f"r{number}", config={"lr": number}) for number in range(RUNS - 1)])
        yield server


@pytest.fixture(scope="module", autouse=True)
def files(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("files")

    with Api(base_url=server.url, api_key=server.api_key) as api:
        run: Run = api.run("local/p/one")
        for name in ("a.bin", "b.bin"):
            (folder / name).write_bytes(b"x" * 15_000)
            run.upload_file(folder / name, root=folder)


def shown(
    server: RunningServer, folder: Path, arguments: list[str], *, seconds: float = 3, **variables: str
) -> tuple[str, str]:
    """What a terminal at stderr shows, and stdout, where each look at the clock takes so many seconds."""
    code = PROGRAM.format(
        seconds=seconds,
        variables={**settings_of(server), **variables},
        folder=str(folder),
        arguments=arguments,
    )
    exit_code, terminal, stdout = on_terminal(code)
    assert exit_code == 0, terminal
    return terminal, stdout


@pytest.mark.long
@pytest.mark.parametrize(("arguments", "counted"), COMMANDS, ids=[" ".join(each) for each, _ in COMMANDS])
def test_a_long_command_shows_how_far_it_is(
    server: RunningServer, tmp_path: Path, arguments: list[str], counted: str
) -> None:
    terminal, stdout = shown(server, tmp_path, arguments)
    assert counted in terminal
    assert "━" not in stdout


def test_a_short_command_shows_nothing(server: RunningServer, tmp_path: Path) -> None:
    terminal, stdout = shown(server, tmp_path, ["ls", "local/p", "--format", "json"], seconds=1e-6)
    assert terminal == ""
    assert len(json.loads(stdout)) == RUNS


def test_the_switch_turns_bars_off(server: RunningServer, tmp_path: Path) -> None:
    for arguments in (
        ["history", "local/p/one", "--format", "csv"],
        ["download", "local/p/one", "-d", "files"],
    ):
        terminal, _ = shown(server, tmp_path, arguments, RUNQL_PROGRESS="0")
        assert "━" not in terminal
