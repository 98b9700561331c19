"""`python -m tests.bench`: list, histories, scan and files through runql and both official SDKs; prints a table of ratios."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROUNDS = 3
TASKS = {
    "list": "list 1,000 runs with config and summary, 50 a page",
    "histories": "histories of 200 runs × 500 rows × 3 keys, one polars frame",
    "scan": "scan of 100,000 rows × 3 keys, one polars frame",
    "files": "download 500 files of 4 KiB of one run",
}
OTHER_WAYS = {"files": "files by threads"}
"""Tasks that a user of the official SDK may write in another way; the faster one is what counts."""

CONTENDER = Path(__file__).with_name("contender.py")


@dataclass(frozen=True)
class Contender:
    """A library and the interpreter that has it."""

    title: str
    library: str
    python: str


@dataclass(frozen=True)
class Measurement:
    """The median seconds in the call, and the requests that the server counted."""

    seconds: float
    requests: int


def main() -> None:
    contenders = [
        Contender("runql", "runql", sys.executable),
        Contender("wandb 0.21.4", "wandb", os.environ["RUNQL_WANDB_OLD"]),
        Contender("wandb 0.31.0", "wandb", os.environ["RUNQL_WANDB_NEW"]),
    ]
    with RunningServer() as server:
        fill(server)
        measured = {task: measure(server, contenders, task) for task in TASKS}
    print(table(contenders, measured))
    slower = [
        task
        for task, row in measured.items()
        if any(row["runql"].seconds >= m.seconds for t, m in row.items() if t != "runql")
    ]
    print(f"bench: {len(measured) - len(slower)} passed, {len(slower)} failed")
    sys.exit(1 if slower else 0)


def fill(server: RunningServer) -> None:
    """Seed what is measured."""
    chance = random.Random(7)
    server.seed(
        "runs",
        [
            SeedRun(
                name=f"run{i:04}",
                config={"lr": i / 1000, "layers": [64, 64]},
                summary={"loss": chance.random()},
            )
            for i in range(1_000)
        ],
    )
    server.seed(
        "histories",
        [
            SeedRun(
                name=f"run{i:03}",
                history=[
                    {"_step": s, "loss": chance.random(), "acc": chance.random(), "lr": 0.1}
                    for s in range(500)
                ],
            )
            for i in range(200)
        ],
    )
    rows = [{"_step": s, "loss": chance.random(), "acc": chance.random(), "lr": 0.1} for s in range(100_000)]
    server.seed("scan", [SeedRun(name="long", history=rows)])
    server.seed("files", [SeedRun(name="many")])
    with Api(base_url=server.url, api_key=server.api_key) as api, tempfile.TemporaryDirectory() as folder:
        run = api.run("files/many")
        for number in range(500):
            path = Path(folder, f"{number:03}.txt")
            path.write_text(f"{number:08}" * 512)
            run.upload_file(path, folder)


def measure(server: RunningServer, contenders: list[Contender], task: str) -> dict[str, Measurement]:
    """Let every contender do one task, in turn, a few times."""
    ways = [task, *([OTHER_WAYS[task]] if task in OTHER_WAYS else [])]
    seconds: dict[tuple[str, str], list[float]] = {}
    requests: dict[tuple[str, str], int] = {}
    for _ in range(ROUNDS):
        for contender in contenders:
            for way in ways:
                server.clear()
                seconds.setdefault((contender.title, way), []).append(run(server, contender, way))
                requests[contender.title, way] = len(server.requests)
    every = {key: Measurement(statistics.median(values), requests[key]) for key, values in seconds.items()}
    return {
        contender.title: min((every[contender.title, way] for way in ways), key=lambda each: each.seconds)
        for contender in contenders
    }


def run(server: RunningServer, contender: Contender, task: str) -> float:
    """One contender's seconds in the call, in a process of its own."""
    environment = {
        **os.environ,
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ENTITY": server.entity,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
    }
    command = [contender.python, str(CONTENDER), contender.library, task]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{contender.title} {task} failed:\n{done.stdout}\n{done.stderr}")
    seconds: float = json.loads(done.stdout.splitlines()[-1])["call"]
    return seconds


def table(contenders: list[Contender], measured: dict[str, dict[str, Measurement]]) -> str:
    """A Markdown table: runql's seconds, and how many times as long the others took."""
    lines = [
        "| work | " + " | ".join(contender.title for contender in contenders) + " |",
        "|---" * (len(contenders) + 1) + "|",
    ]
    for task, row in measured.items():
        own = row["runql"]
        cells = [f"1 ({own.seconds:.2f} s, {own.requests} requests)"]
        cells += [
            f"{row[c.title].seconds / own.seconds:.1f} × ({row[c.title].requests} requests)"
            for c in contenders[1:]
        ]
        lines.append(f"| {TASKS[task]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
