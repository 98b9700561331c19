"""Processes that transfer files and are killed meanwhile: the tests' side of `tests.faults.transfer_program`."""

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
    """Starts them, kills them and waits for them, from ``with`` to the end of the block."""

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
        """Start a process, and give its id."""
        return self._send({"start": asdict(transfer)})

    def wait(self, process: int) -> int:
        """Its exit code, negative for the signal that ended it, when it has ended."""
        return self._send({"wait": process})

    def kill(self, process: int) -> None:
        """End it without a chance to clean up."""
        os.kill(process, signal.SIGKILL)
        assert self.wait(process) == -signal.SIGKILL

    def report_of(self, transfer: Transfer) -> dict[str, object]:
        """What a process reports that runs to its end; empty when all went well."""
        assert self.wait(self.start(transfer)) == 0
        report: dict[str, object] = json.loads(Path(transfer.report).read_text("utf-8"))
        return report

    def _send(self, command: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
