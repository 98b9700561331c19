"""Memory of a scan of pages or large exports: a frame costs its own size and a constant, rows one by one a constant."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

NOISE = 4 << 20
"""Bytes by which the peaks of two equal scans differ."""

KEYS = [f"metric/{number}" for number in range(16)]
# Enough rows of the short one that everything that is kept once has been: 50,000 rows do not always fill the windows.
ROWS = {"short": 100_000, "long": 300_000}

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory"),
]


EXPORTED = {"short": 25_000, "long": 100_000}
PORTION = 1 << 20
"""Bytes of parquet that are fetched before they are read; all are 14 MB."""


@pytest.fixture(scope="module")
def exporting() -> Iterator[RunningServer]:
    chance = random.Random(5)
    with RunningServer(export_policy=ExportPolicy(above_rows=10_000)) as running:
        for name, count in EXPORTED.items():
            rows = [{"_step": step, **{key: chance.random() for key in KEYS}} for step in range(count)]
            running.seed("scans", [SeedRun(name=name, history=rows)])
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    # Without exports: a parquet file of this size is fetched as a whole, and is in memory together with the frame.
    with RunningServer(export_policy=ExportPolicy(above_rows=sys.maxsize)) as running:
        for name, count in ROWS.items():
            rows = [{"_step": step, **dict.fromkeys(KEYS, step / 7)} for step in range(count)]
            running.seed("scans", [SeedRun(name=name, history=rows)])
        yield running


def measured(server: RunningServer, way: str, run: str, *more: str) -> dict[str, int]:
    environment = os.environ | {
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ENTITY": server.entity,
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("peak.py")), way, f"scans/{run}", *more],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    peaks: dict[str, int] = json.loads(done.stdout)
    return peaks


def test_a_frame_costs_less_than_half_of_its_size_more_than_itself(server: RunningServer) -> None:
    short, long = measured(server, "frame", "short"), measured(server, "frame", "long")
    assert (short["rows"], long["rows"]) == tuple(ROWS.values())
    assert long["peak"] - short["peak"] < 1.5 * (long["frame"] - short["frame"]) + NOISE


def test_rows_one_by_one_cost_the_same_however_many(server: RunningServer) -> None:
    # What a scan needs shows in the lowest of several peaks; the others have noise on top.
    short, long = (
        min((measured(server, "rows", run) for _ in range(3)), key=lambda each: each["peak"]) for run in ROWS
    )
    assert (short["rows"], long["rows"]) == tuple(ROWS.values())
    assert long["peak"] - short["peak"] < NOISE


def test_rows_that_are_kept_cost_many_times_the_noise(server: RunningServer) -> None:
    """That the measure sees what it is to see."""
    short, long = measured(server, "kept", "short"), measured(server, "kept", "long")
    assert long["peak"] - short["peak"] > 16 * NOISE


def test_files_that_are_larger_than_what_is_read_at_a_time_cost_no_more(exporting: RunningServer) -> None:
    short, long = (measured(exporting, "frame", run, str(PORTION)) for run in EXPORTED)
    assert (short["rows"], long["rows"]) == tuple(EXPORTED.values())
    assert long["peak"] - short["peak"] < 1.5 * (long["frame"] - short["frame"]) + NOISE
