"""Writes REPORT.md."""

from __future__ import annotations

from pathlib import Path
from tests.faults.matrix.running import Result

def write_report(results: list[Result], libraries: list[object], seconds: float) -> None:
    print("report", len(results))
