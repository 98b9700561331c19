"""Reading histories piece by piece takes the same memory however many rows there are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = [pytest.mark.nightly, pytest.mark.long]

ROOT = Path(__file__).parents[2]
KEYS = 6
SMALL, LARGE = 140_000, 420_000
"""Rows; the smaller is many times what is in memory at any time."""

NOISE = 12 * 1024
"""What a peak of a process may differ by for no reason, in KiB."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Two projects of two long runs, and a run to warm up with."""
    with RunningServer() as running:
        for rows in (SMALL, LARGE):
            running.seed(f"rows{rows}", [SeedRun(name="warm", history=history(5000))])
            running.seed(f"rows{rows}", (SeedRun(name=f"r{n}", history=history(rows // 2)) for n in range(2)))
        yield running


def history(rows: int) -> Iterator[dict[str, float]]:
    return ({f"k{key}": step / (key + 3) for key in range(KEYS)} for step in range(rows))


def peak(server: RunningServer, rows: int, how: str, target: Path) -> int:
    command = [sys.executable, "-m", "tests.memory.histories_reader"]
    given = [server.url, server.api_key, f"{server.entity}/rows{rows}", how, str(target)]
    done = subprocess.run([*command, *given], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are read where Linux reports them"
)
@pytest.mark.parametrize("how", ["iterate", "sink", "folders", "batches", "known", "lazy", "lazy rows"])
def test_piece_by_piece_the_peak_does_not_grow_with_the_rows(
    how: str, server: RunningServer, tmp_path: Path
) -> None:
    small, large = (peak(server, rows, how, tmp_path / f"{rows}.parquet") for rows in (SMALL, LARGE))
    assert large <= 1.5 * small + NOISE, (small, large)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are read where Linux reports them"
)
def test_all_at_once_it_does(server: RunningServer, tmp_path: Path) -> None:
    """That the measure sees what it is to see."""
    small, large = (peak(server, rows, "collect", tmp_path / "x") for rows in (SMALL, LARGE))
    assert large > 1.5 * small + NOISE, (small, large)
