"""`python -m tests.bench.mlflow`: read the same runs by runql and by mlflow, each from its own server; write REPORT.md."""

from __future__ import annotations

import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import httpx
from tests.bench.mlflow import data
from tests.bench.paths import environment
from tests.bench.result import Result, parse_result
from tests.patience import PATIENCE, until

from runql_server.running import RunningServer
from runql_server.seed import SeedRun

MLFLOW: Final = os.environ.get("RUNQL_MLFLOW", "")
REPORT: Final = Path(__file__).with_name("REPORT.md")
ROUNDS: Final = 5
TASKS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "list": (
        f"{data.RUNS:,} runs with {data.VALUES} config values and {data.VALUES} metrics, all looked at",
        ("list",),
    ),
    "metric": (
        f"one metric of {data.LONG_RUNS} runs × {data.STEPS} steps, every step",
        ("metric", "metric, threads"),
    ),
}
"""The title of each task, and mlflow's ways to do it."""


def main() -> None:
    """Measure, compare the values, and write the report."""
    with tempfile.TemporaryDirectory() as folder, RunningServer() as ours, mlflow_server(Path(folder)) as uri:
        fill(ours)
        own = {"WANDB_BASE_URL": ours.url, "WANDB_API_KEY": ours.api_key, "WANDB_ENTITY": ours.entity}
        theirs = {"MLFLOW_TRACKING_URI": uri}
        done("mlflow", "fill", theirs)
        rows: list[str] = []
        for task, (title, ways) in TASKS.items():
            found: dict[str, list[Result]] = {}
            for _ in range(ROUNDS):
                found.setdefault("runql", []).append(done("runql", task, own))
                for way in ways:
                    found.setdefault(way, []).append(done("mlflow", way, theirs))
            digests = {each.digest for results in found.values() for each in results}
            if len(digests) != 1:
                sys.exit(f"{title}: the values differ: {sorted(digests)}")
            rows.append(row(title, found.pop("runql"), min(found.values(), key=seconds)))
    REPORT.write_text(written(rows), "utf-8")
    print(REPORT.read_text("utf-8"))


def fill(server: RunningServer) -> None:
    """Seed both projects of the embedded server."""
    server.seed(
        data.LISTED,
        [
            SeedRun(name=name, config=data.config(number), summary=data.summary(number))
            for number, name in enumerate(data.names(data.LISTED))
        ],
    )
    server.seed(
        data.SAMPLED,
        [
            SeedRun(name=name, history=({data.METRIC: each} for each in data.losses(number)))
            for number, name in enumerate(data.names(data.SAMPLED))
        ],
    )


@contextmanager
def mlflow_server(folder: Path) -> Generator[str]:
    """Run mlflow's server with a database of SQLite, as its documents start it, and return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [MLFLOW, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder}/runs.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    uri = f"http://127.0.0.1:{port}"
    log = (folder / "server.log").open("w")
    # Its workers are processes of its own; they end with their group.
    process = subprocess.Popen(
        [*command, *stores],
        env=mlflow_environment(),
        cwd=folder,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        until(lambda: process.poll() is not None or responds(uri))
        if process.poll() is not None:
            raise RuntimeError(f"mlflow's server ended: {(folder / 'server.log').read_text('utf-8')}")
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)
        log.close()


def mlflow_environment() -> dict[str, str]:
    """Return the environment of mlflow's processes, which send no telemetry."""
    return environment(own=False, MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")


def responds(uri: str) -> bool:
    """Whether mlflow's server is up."""
    try:
        return httpx.get(f"{uri}/health").is_success
    except httpx.TransportError:
        return False


def done(library: str, task: str, more: Mapping[str, str]) -> Result:
    """Let one library perform one task once, in a process of its own."""
    own = library == "runql"
    with tempfile.TemporaryDirectory() as folder:
        finished = subprocess.run(
            [sys.executable if own else MLFLOW, "-m", "tests.bench.mlflow.contender", library, task],
            env={**(environment() if own else mlflow_environment()), **more, "HOME": folder},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10 * PATIENCE,
            check=False,
        )
    if finished.returncode:
        raise RuntimeError(f"{library}: {task} failed:\n{finished.stdout}\n{finished.stderr}")
    return parse_result(finished.stdout)


def seconds(results: list[Result]) -> float:
    """Return the median."""
    return statistics.median(each.seconds for each in results)


def row(title: str, own: list[Result], theirs: list[Result]) -> str:
    """Return a line of the table."""
    cells = (
        f"{seconds(each):.3f} s / {statistics.median(one.peak - one.baseline for one in each):.0f} MiB"
        f" / {statistics.median(one.cpu for one in each):.2f} s"
        for each in (own, theirs)
    )
    return f"| {title} | {' | '.join(cells)}; {seconds(theirs) / seconds(own):.1f} × |"


def written(rows: list[str]) -> str:
    """Return the report."""
    asked = "from importlib.metadata import version; print(version('mlflow'))"
    theirs = subprocess.run([MLFLOW, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    return f"""\
# Beside mlflow

Written by `make mlflow`. Each client reads the same values from its own server on the same machine: runql from the embedded server,
mlflow from its own, which its documents start with SQLite. So a row compares two storages as much as two clients.
A cell has seconds / MiB / seconds of CPU of the client; seconds are medians of {ROUNDS} rounds of the call alone, in a process each.
mlflow reads the metrics run by run, one after the other and by eight threads of the caller; the faster way counts.

{os.cpu_count()} cores, {platform.system()} on {platform.machine()}, Python {platform.python_version()}; runql {version("runql")}, mlflow {theirs}.

| work | runql | mlflow |
|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
