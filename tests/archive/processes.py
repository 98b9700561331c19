"""Runs exports, imports and copies in children of one process, which fronts kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.archive.killing_front import KillingFront
from tests.archive.program import FULL
from tests.patience import PATIENCE

__all__ = ["FULL", "Processes"]
ROOT = Path(__file__).parents[2]


class Processes:
    """Runs calls in children of one process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.archive.program"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, front: KillingFront, at: int, *, carries_out: bool, **call: str) -> int:
        """Run a call that the front kills at a request, and return its exit code."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"url": front.url, **call}) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        front.arm(child, at, carries_out=carries_out)
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=PATIENCE)
