"""The same faults for the official SDKs and for runql as a user has it: a few calls each, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.contract.every_call import furnish
from tests.faults.matrix.catalogue import FAULTS
from tests.faults.matrix.faults import Fault
from tests.faults.matrix.front import Front, Plan
from tests.patience import PATIENCE

from runql import Api
from runql_server.running import RunningServer

LIMIT: Final = 15.0
"""Seconds after which a call counts as hanging."""
INTERPRETERS: Final[dict[str, str]] = {
    "wandb 0.21.4": os.environ.get("RUNQL_WANDB_OLD", ""),
    "wandb 0.31.0": os.environ.get("RUNQL_WANDB_NEW", ""),
    "runql": sys.executable,
}
_PROGRAM: Final = Path(__file__).with_name("library_program.py")
_CALLS: Final = ("run", "scan_history", "file")
_AT_ONCE: Final = 60
_HEALTHY: Final = "no fault"
_START: Final = 12.0
"""Seconds for starting: the program's limit counts from there."""


@dataclass(frozen=True)
class Measured:
    """What came of one call of one library.

    Attributes:
        library: name and version.
        fault: title.
        call: which call.
        outcome: "right", "error", "wrong" or "hang".
        error: class of the error.
        seconds: how long it took.
    """

    library: str
    fault: str
    call: str
    outcome: str
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Job:
    fault: Fault | None
    call: str

    @property
    def name(self) -> str:
        return f"{self.fault.title if self.fault else _HEALTHY} | {self.call}"


def measure_libraries() -> list[Measured]:
    """Measure every library that is installed with every fault that needs no other address."""
    chosen = [fault for fault in FAULTS.values() if not fault.address]
    jobs = [
        _Job(fault, call)
        for fault in chosen
        for call in _CALLS
        if "storage" not in fault.kinds or "operation" in fault.kinds or call == "file"
    ]
    with RunningServer() as server:
        furnish(server, "libraries")
        _add_file(server)
        found = {name: python for name, python in INTERPRETERS.items() if python}
        with ThreadPoolExecutor(len(found)) as pool:
            parts = [pool.submit(_measured, server, name, python, jobs) for name, python in found.items()]
            return [each for part in parts for each in part.result()]


def _add_file(server: RunningServer) -> None:
    with tempfile.TemporaryDirectory() as folder, Api(api_key=server.api_key, base_url=server.url) as api:
        path = Path(folder, "notes.txt")
        path.write_text("notes")
        api.run(f"{server.entity}/libraries/one").upload_file(path, root=folder)


def _measured(server: RunningServer, library: str, python: str, jobs: list[_Job]) -> list[Measured]:
    healthy = _run(server, library, python, [_Job(None, call) for call in _CALLS])
    right = {call: healthy[f"{_HEALTHY} | {call}"].get("value") for call in _CALLS}
    assert all(value is not None for value in right.values()), (library, healthy)
    found: list[Measured] = []
    for start in range(0, len(jobs), _AT_ONCE):
        part = jobs[start : start + _AT_ONCE]
        came = _run(server, library, python, part)
        # A fault of one job may end a process that the library shares: the others are measured alone.
        for job in part:
            if "setup" in came.get(job.name, {}):
                came |= _run(server, library, python, [job])
        found += [_judged(library, job, came.get(job.name), right[job.call]) for job in part]
    return found


def _judged(library: str, job: _Job, came: dict[str, Any] | None, right: object) -> Measured:
    title = job.fault.title if job.fault else _HEALTHY
    if came is None:
        return Measured(library, title, job.call, "hang", seconds=LIMIT)
    if "setup" in came:
        return Measured(library, title, job.call, "error", str(came["setup"]))
    seconds = float(came["seconds"])
    if "error" in came:
        return Measured(library, title, job.call, "error", str(came["error"]), seconds)
    outcome = "right" if came["value"] == right else "wrong"
    return Measured(library, title, job.call, outcome, seconds=seconds)


def _run(
    server: RunningServer, library: str, python: str, jobs: list[_Job]
) -> dict[str, dict[str, Any]]:  # Any: what the program printed
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fronts = {job.name: stack.enter_context(_waiting(server, job.fault)) for job in jobs}
        into = folder / "found.json"
        order = {
            "library": library,
            "key": server.api_key,
            "path": f"{server.entity}/libraries/one",
            "limit": LIMIT + _START,
            "into": str(into),
            "jobs": [{"id": job.name, "call": job.call, "url": fronts[job.name].url} for job in jobs],
        }
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WANDB_")},
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true",
            "WANDB_DIR": str(folder),
            "HOME": str(folder),
        }
        done = subprocess.run(
            [python, str(_PROGRAM)],
            input=json.dumps(order),
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if not into.exists():
            raise RuntimeError(f"{library}: {done.stderr[-2_000:]}")
        found: dict[str, dict[str, Any]] = json.loads(into.read_text("utf-8"))
        return found


@contextlib.contextmanager
def _waiting(server: RunningServer, fault: Fault | None) -> Generator[Front]:
    """Start a front that misbehaves once it is asked to begin."""
    with Front(server.url) as front:
        front.elsewhere = server.url
        front.pending = fault.plan() if fault else Plan()
        yield front
