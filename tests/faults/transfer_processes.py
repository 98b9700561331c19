"""Controls processes of `tests.faults.transfer_program`: starts them, waits for them, kills them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.transfer_program import Transfer
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


class TransferProcesses:
    """Starts, kills and awaits transfer processes inside the ``with`` block."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.transfer_program"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=PATIENCE)

    def start(self, transfer: Transfer) -> int:
        """Start a process, and return its id."""
        return self._send({"start": asdict(transfer)})

    def wait(self, process: int) -> int:
        """Wait for the end of a process, and return its exit code, negative for a signal."""
        return self._send({"wait": process})

    def kill(self, process: int) -> None:
        """Kill a process without cleanup."""
        os.kill(process, signal.SIGKILL)
        assert self.wait(process) == -signal.SIGKILL

    def report_of(self, transfer: Transfer) -> dict[str, object]:
        """Run a process to its end, and return its report, which is empty on success."""
        assert self.wait(self.start(transfer)) == 0
        report: dict[str, object] = json.loads(Path(transfer.report).read_text("utf-8"))
        return report

    def _send(self, command: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
