"""`runql plot`: curves on a terminal, as pages and as pictures."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.invoking import Done, environment, run
from tests.patience import PATIENCE

from runql_server.running import RunningServer
from runql_server.seed import Row, SeedRun

ODD = "a</script><b>$x_{$\x1b[31m"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("plot") / "server") as running:
        rows: list[Row] = [
            {"_step": step, "loss": 1 / (step + 1), "text": "x", "nan": float("nan")} for step in range(50)
        ]
        running.seed(
            "p",
            [
                SeedRun(name="a", display_name=ODD, history=rows),
                SeedRun(name="b", display_name="b", history=[{"_step": 3, "loss": 2, "acc": 0.5}]),
            ],
        )
        yield running


def paths(server: RunningServer) -> list[str]:
    return [f"{server.entity}/p/a", f"{server.entity}/p/b"]


def test_a_terminal_shows_a_curve_of_each_run(server: RunningServer) -> None:
    done = run("plot", *paths(server), "--key", "loss", server=server)
    assert done.returncode == 0, done.stderr
    assert "loss of a (a</script><b>$x_{$\\x1b[31m): 50 values, steps 0 to 49" in done.stdout
    assert "loss of b: 1 values, steps 3 to 3" in done.stdout
    assert "█" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_terminal_of_40_columns_is_wide_enough(server: RunningServer) -> None:
    done = run("plot", paths(server)[0], "--key", "loss", env={"COLUMNS": "40"}, server=server)
    assert max(len(line) for line in done.stdout.splitlines()[1:]) <= 40


def test_a_page_draws_itself_without_the_network(server: RunningServer, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    file = tmp_path / "loss.html"
    done = run("plot", *paths(server), "--key", "loss", "--key", "nan", "-o", str(file), server=server)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    page = file.read_text()
    assert "Plotly.newPlot" in page
    assert 'src="http' not in page
    assert ODD not in page
    assert "a</script>" not in page
    assert "NaN" not in page[page.index("Plotly.newPlot") :]
    assert "there is no number of nan of b" in done.stderr


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_needs_no_browser(server: RunningServer, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / f"loss.{suffix}"
    done = run("plot", *paths(server), "--key", "loss", "-o", str(file), server=server)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    if suffix == "png":
        assert file.read_bytes().startswith(b"\x89PNG\r\n")
    else:
        assert ET.fromstring(file.read_bytes()).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("suffix", "library", "extra"), [("html", "plotly", "pages"), ("png", "matplotlib", "plot")]
)
def test_a_missing_extra_is_named_before_anything_is_sent(
    server: RunningServer, tmp_path: Path, suffix: str, library: str, extra: str
) -> None:
    server.requests.clear()
    block = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv = ['runql', *sys.argv[1:]]\n"
        "from runql.cli.main import main; main()"
    )
    file = tmp_path / f"loss.{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", block, "plot", paths(server)[0], "--key", "loss", "-o", str(file)],
        env=environment(server),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert f"pip install 'runql[{extra}]'" in done.stderr
    assert not file.exists()
    assert not server.requests


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["local/p/a", "--key", "nothing"], 1, "there is no number of nothing"),
        (["local/p/a", "--key", "text"], 1, "there is no number of text"),
        (["local/p/none", "--key", "loss"], 1, "none"),
        (["local/p", "--key", "loss"], 2, "is no run"),
        (["local/p/a"], 2, "Missing option"),
        (["local/p/a", "--key", "loss", "-o", "loss.pdf"], 2, "end it with .html, .png, .svg"),
    ],
)
def test_what_is_not_there_or_asked_wrongly(
    server: RunningServer, arguments: list[str], code: int, message: str
) -> None:
    done = Done("plot", *arguments, server=server)
    assert done.code == code
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_that_exists_needs_force(server: RunningServer, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "loss.svg"
    file.write_text("mine")
    arguments = ["plot", paths(server)[0], "--key", "loss", "-o", str(file)]
    assert Done(*arguments, server=server).code == 2
    assert file.read_text() == "mine"
    assert Done(*arguments, "--force", server=server).code == 0
    assert "<svg" in file.read_text()
