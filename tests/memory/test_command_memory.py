"""`runql history` writes files in the same memory however many rows a run has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.invoking import environment
from tests.memory.test_histories_memory import NOISE, ROOT, history

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.long,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="peaks are read where Linux reports them"
    ),
]

SMALL, LARGE = 140_000, 420_000
"""Rows; the smaller is many times what is in memory at any time."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A project for each number of rows: a long run, and one to warm up with."""
    with RunningServer() as running:
        for rows in (SMALL, LARGE):
            running.seed(f"rows{rows}", [SeedRun(name="warm", history=history(5000))])
            running.seed(f"rows{rows}", [SeedRun(name="long", history=history(rows))])
        yield running


def peak(server: RunningServer, rows: int, target: Path, until: int | None = None) -> int:
    """What the command takes for a run of so many rows, or the first of them, in KiB."""
    command = [sys.executable, "-m", "tests.memory.command_reader", f"local/rows{rows}", str(target)]
    command += ["--to-step", str(until or rows)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(server), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_peak_does_not_grow_with_the_rows(kind: str, server: RunningServer, tmp_path: Path) -> None:
    small, large = (peak(server, rows, tmp_path / f"{rows}.{kind}") for rows in (SMALL, LARGE))
    assert large <= 1.5 * small + NOISE, (small, large)


def test_a_table_for_people_is_held_as_a_whole(server: RunningServer, tmp_path: Path) -> None:
    """That the measure sees what it is to see; fewer rows show it."""
    small, large = (peak(server, rows, tmp_path / f"{rows}.txt", until=rows // 4) for rows in (SMALL, LARGE))
    assert large > 1.5 * small + NOISE, (small, large)
