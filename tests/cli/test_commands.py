"""The command as people run it: in a process of its own, against a real server."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.cli.invoking import COMMAND, run
from tests.patience import PATIENCE

from runql import Api, __version__
from runql.cli.server_commands import DEMO_SCRIPT, demo_code
from runql_server.sample import Sample


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    """What `runql demo` prints, without a terminal."""
    return run("demo", env={"COLUMNS": "100"})


def test_the_demo_shows_the_runs_the_frame_the_curve_and_what_it_took(
    demo: subprocess.CompletedProcess[str],
) -> None:
    assert demo.returncode == 0, demo.stderr
    assert "28 runs" in demo.stdout
    assert all(state in demo.stdout for state in ("finished", "crashed", "running"))
    assert "every row of every run" in demo.stdout
    assert re.search(r"sent 17 requests \([\d,]+ bytes\), received [\d,]+ bytes, [\d.]+ s", demo.stdout)
    assert "█" in demo.stdout
    assert "\x1b[" not in demo.stdout, "no colours where there is no terminal"


def test_the_printed_code_is_the_code_that_ran(demo: subprocess.CompletedProcess[str]) -> None:
    printed = re.sub(r"\s+", "", demo.stdout)
    assert all(re.sub(r"\s+", "", line) in printed for line in demo_code().splitlines())
    assert demo_code() in DEMO_SCRIPT.read_text()
    assert len(demo_code().splitlines()) == 15


def test_the_demo_fetches_the_best_runs_model_and_scores_it(
    demo: subprocess.CompletedProcess[str],
) -> None:
    printed = " ".join(demo.stdout.split())
    found = re.search(
        r"its model: (\S+), 2 files of [\d,]+ bytes, .* it recognises ([\d.]+) of .* logged ([\d.]+)\)",
        printed,
    )
    assert found, printed
    assert found[1].startswith("mlp:v")
    assert found[2] == found[3]


def test_the_printed_code_gives_the_same_best_run(
    demo: subprocess.CompletedProcess[str],
    sample_server: Sample,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_BASE_URL", sample_server.url)
    monkeypatch.setenv("WANDB_API_KEY", sample_server.api_key)
    found: dict[str, object] = {}
    exec(compile(demo_code(), "demo", "exec"), found)
    with Api() as api:
        best = max(api.runs(sample_server.project), key=lambda run: float(str(run.summary["val_accuracy"])))
    assert repr(best) == repr(found["best"])
    assert f"best run: {best.name}" in " ".join(demo.stdout.split())


def test_a_narrow_terminal_does_not_break_it() -> None:
    assert run("demo", env={"COLUMNS": "40"}).returncode == 0


def test_serve_prints_what_to_export_and_serves_the_sample(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--sample"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = ""
            while "WANDB_API_KEY" not in printed and (line := process.stdout.readline()):
                printed += line
            exported = dict(re.findall(r"export (\w+)=(\S+)", printed))
            with Api(base_url=exported["WANDB_BASE_URL"], api_key=exported["WANDB_API_KEY"]) as api:
                assert len(api.runs("digits")) == 28
                assert api.run("digits/running").state == "running"
            refused = httpx.post(f"{exported['WANDB_BASE_URL']}/graphql", json={"query": "{viewer{id}}"})
            assert refused.status_code == 401
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def test_the_sample_is_not_poured_over_other_data(tmp_path: Path) -> None:
    (tmp_path / "runql.sqlite3").touch()
    done = run("serve", "--port", "0", "--data-dir", str(tmp_path), "--sample")
    assert done.returncode == 1
    assert done.stderr == (
        f"runql serve: {tmp_path} holds data already: serve it without the sample, or name another directory\n"
    )


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port), "--data-dir", str(tmp_path / "data"), "--sample")
    assert done.returncode == 1
    assert done.stderr == (
        f"runql serve: port {port} of 127.0.0.1 is in use: end what listens there, or name another with --port\n"
    )
    assert not (tmp_path / "data").exists(), "the same command works once the port is free"


def without(library: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where a library is not installed."""
    block = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv = ['runql', *sys.argv[1:]]\n"
        "from runql.cli.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", block, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_a_missing_extra_is_named(library: str) -> None:
    done = without(library, "serve")
    assert done.returncode == 2
    assert f"needs {library}" in done.stderr
    assert "pip install 'runql[cli]'" in done.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_missing_server_is_named(command: str) -> None:
    done = without("ariadne", command)
    assert done.returncode == 2
    assert "needs ariadne: pip install 'runql[server]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_the_demo_wants_a_library_for_frames() -> None:
    assert without("polars", "serve", "--help").returncode == 0
    done = without("polars", "demo")
    assert done.returncode == 1
    assert "pip install 'runql[polars]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"runql {__version__}\n", "")


@pytest.mark.parametrize("command", [("drift",), ("drift", "responses")], ids=" ".join)
def test_the_help_of_a_check_lists_its_exit_codes(command: tuple[str, ...]) -> None:
    printed = [line.strip() for line in run(*command, "--help", env={"COLUMNS": "200"}).stdout.splitlines()]
    assert "Exit codes:" in printed
    assert {line[0] for line in printed if re.match(r"\d ", line)} == {"0", "1", "2", "3"}


@pytest.mark.parametrize("command", [("serve",), ("drift",), ("drift", "responses")], ids=" ".join)
def test_the_help_of_every_option_says_its_default(command: tuple[str, ...]) -> None:
    printed = run(*command, "--help", env={"COLUMNS": "400"}).stdout
    options = [line for line in printed.splitlines() if re.match(r"│ +--(?!help)", line)]
    assert len(options) >= 3
    assert [line for line in options if "default" not in line] == []
