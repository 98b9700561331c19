"""Memory of a response that is too large, or becomes it by decompression: no more than the limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="peaks are read where Linux reports them"
    ),
]

ROOT = Path(__file__).parents[2]
MIB = 1 << 20


def measured(way: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.limited_reader", way],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("WANDB_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["limit"], found["peak"]


@pytest.mark.parametrize(
    ("way", "limit", "most"),
    [
        ("announced", "response_bytes", 4 * MIB),
        ("sent", "response_bytes", 24 * MIB),
        ("sent gzip", "decoded_bytes", 24 * MIB),
        ("sent deflate", "decoded_bytes", 24 * MIB),
        ("sent gzip, gzip", "decoded_bytes", 24 * MIB),
        ("saved gzip", "file_bytes", 24 * MIB),
    ],
)
def test_it_stays_flat(way: str, limit: str, most: int) -> None:
    found, peak = measured(way)
    assert found == limit
    assert peak < most


def test_without_a_limit_it_does_not() -> None:
    """That the measure sees what it is to see."""
    found, peak = measured("unlimited")
    assert found == "InvalidAnswerError"
    assert peak > 300 * MIB
