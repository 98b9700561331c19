"""Measures tasks: contenders perform one in turn, each time in a new process; the replay proxy counts requests."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.paths import environment
from tests.bench.replay_process import ReplayProxy
from tests.bench.result import Result, parse_result
from tests.bench.tasks import LIMIT, NEW, OLD, OWN, Task

from runql_server.running import RunningServer

SLOW = 3.0
"""Seconds above which a contender is measured only once without latency, to limit the total time."""

FAR = 50
"""A contender that takes more than this multiple of runql's time is measured only once."""

HOPELESS = 1.5
"""A way that takes more than this multiple of the best way in the first round is measured only once."""

USER_PYTHON = os.environ.get("RUNQL_BENCH", sys.executable)
"""Interpreter of an environment as a user has it: httpx imports trio, rich and click wherever they are installed."""

FIRST_ANSWERS = {
    "runql": "import runql; print(runql.Api().run('runs/run0000').name)",
    "wandb": "import wandb; print(wandb.Api().run('runs/run0000').name)",
    "limit": (
        "import os, httpx, pydantic\n"
        "url, auth = os.environ['WANDB_BASE_URL'] + '/graphql', ('api', os.environ['WANDB_API_KEY'])\n"
        'query = \'query Q($e: String!) { project(entityName: $e, name: "runs") '
        '{ run(name: "run0000") { displayName config summaryMetrics } } }\'\n'
        "body = {'query': query, 'variables': {'e': os.environ['WANDB_ENTITY']}}\n"
        "with httpx.Client() as client:\n"
        "    answer = client.post(url, json=body, auth=auth)\n"
        "print(answer.json()['data']['project']['run']['displayName'])\n"
    ),
}


@dataclass
class Measured:
    """Measurements of one contender in one task.

    Attributes:
        way: name of the task in the measured way.
        seconds: time of each round.
        requests: number in one round.
        received: bytes of the responses in one round.
        cpu: median of the seconds of CPU.
        baseline: median of MiB before the call.
        peak: median of the highest MiB.
        size: MiB of the frame.
    """

    way: str
    seconds: list[float] = field(default_factory=list[float])
    requests: int = 0
    received: int = 0
    cpu: float = 0.0
    baseline: float = 0.0
    peak: float = 0.0
    size: float = 0.0

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def over(self) -> float:
        """MiB that the call needed above the baseline."""
        return self.peak - self.baseline


PATIENCE = 120
"""Timeout of a task in seconds."""

IN_MEMORY = Path("/dev/shm")
"""A file system without a disk: a disk that is busy with the files of one contender delays the next one."""


@dataclass(frozen=True)
class BenchServer:
    """A seeded server behind a replay proxy."""

    server: RunningServer
    proxy: ReplayProxy

    def done(self, title: str, task: str, *, digest: bool = False, one_core: bool = False) -> Result:
        """Let one contender perform one task once."""
        library = title.split(maxsplit=1)[0]
        with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
            if task == "start":
                command = ["-c", FIRST_ANSWERS[library]]
            elif library == LIMIT:
                command = ["-m", "tests.bench.bare_client", task]
            else:
                command = ["-m", "tests.bench.contender", library, task]
            if digest and task != "start":
                command.append("digest")
            started = time.perf_counter()
            pinned = ["taskset", "-c", "0"] if one_core else []
            done = subprocess.run(
                [*pinned, python_of(title), *command],
                env=environment(
                    own=library != "wandb",
                    WANDB_BASE_URL=self.proxy.url,
                    WANDB_API_KEY=self.server.api_key,
                    WANDB_ENTITY=self.server.entity,
                    HOME=folder,
                ),
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            seconds = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{title}: {task} failed:\n{done.stdout}\n{done.stderr}")
        if task == "start":
            return Result(seconds, digest=done.stdout.strip() if digest else "")
        return parse_result(done.stdout)


def python_of(title: str) -> str:
    """Return the interpreter with a contender's library."""
    variables = {OLD: "RUNQL_WANDB_OLD", NEW: "RUNQL_WANDB_NEW"}
    return os.environ[variables[title]] if title in variables else USER_PYTHON


def ways_of(task: Task, title: str) -> Sequence[str]:
    """Return the names of a contender's ways to perform a task."""
    return task.ways.get(title, (task.name,))


def prepare(bench: BenchServer, task: Task) -> dict[str, str]:
    """Let every contender perform a task once, so that the proxy stores the responses; return the digests."""
    bench.proxy.taken(latency=0)
    return {
        title: digest
        for title in task.contenders
        for way in ways_of(task, title)
        if (digest := bench.done(title, way, digest=True).digest)
    }


def measure(
    bench: BenchServer, task: Task, *, latency: float, rounds: int, one_core: bool = False
) -> dict[str, Measured]:
    """Let every contender perform a prepared task, in turn, in each round.

    Args:
        bench: the server.
        task: the task.
        latency: seconds that the proxy waits before each response.
        rounds: number of rounds.
        one_core: let contenders use one core only; the server uses all.

    Raises:
        RuntimeError: a contender failed, or sent a request that it did not send in preparation.
    """
    found = {(title, way): Measured(way) for title in task.contenders for way in ways_of(task, title)}
    memory: dict[tuple[str, str], list[Result]] = {key: [] for key in found}
    for number in range(rounds):
        for (title, way), measured in found.items():
            if number and _is_known(title, measured, found, latency):
                continue
            bench.proxy.taken(latency=latency)
            result = bench.done(title, way, one_core=one_core)
            taken = bench.proxy.taken(latency=0)
            if taken.misses:
                raise RuntimeError(f"{title}: {way} asked for {taken.misses} answers that were not prepared")
            measured.seconds.append(result.seconds)
            measured.requests, measured.received = taken.requests, taken.sent
            memory[title, way].append(result)
    for key, measured in found.items():
        measured.cpu = statistics.median(each.cpu for each in memory[key])
        measured.baseline = statistics.median(each.baseline for each in memory[key])
        measured.peak = statistics.median(each.peak for each in memory[key])
        measured.size = memory[key][-1].size
    return {
        title: min((found[title, way] for way in ways_of(task, title)), key=lambda each: each.median)
        for title in task.contenders
    }


def _is_known(
    title: str, measured: Measured, found: Mapping[tuple[str, str], Measured], latency: float
) -> bool:
    # After the first round: whether a further one is of no use.
    best, own = (
        min(each.median for (other, _), each in found.items() if other == wanted) for wanted in (title, OWN)
    )
    slow = measured.median > SLOW and not latency
    return slow or measured.median > FAR * own or measured.median > HOPELESS * best
