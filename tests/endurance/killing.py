"""`python -m tests.endurance.killing [ROUNDS]`: kills a server again and again while both official SDKs log to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.endurance.recording_front import Moment, RecordingFront
from tests.patience import ENVIRONMENT, PATIENCE, until
from tests.server.server_process import start

SCRIPT = Path(__file__).with_name("log_until_told.py")
MOMENTS: tuple[Moment, ...] = ("during", "after", "before")


@dataclass
class Report:
    """What the rounds showed.

    Attributes:
        rounds: number of kills.
        seconds: wall clock of all rounds.
        posts: posts of rows that were acknowledged.
        logged: rows that each run logged, by run.
        stored: rows that each run has at the end.
        acknowledged: rows that were acknowledged, by run.
        lost: acknowledged rows that a restarted server did not have, or had otherwise.
        doubled: rows that a run has twice at the end.
        damaged: what `PRAGMA integrity_check` found.
    """

    rounds: int = 0
    seconds: float = 0.0
    posts: int = 0
    logged: dict[str, int] = field(default_factory=dict[str, int])
    stored: dict[str, int] = field(default_factory=dict[str, int])
    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    lost: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    damaged: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return (
            f"{self.rounds} kills in {self.seconds:.0f} s; {self.posts} posts acknowledged; rows logged {self.logged}, "
            f"stored {self.stored}; lost {len(self.lost)}, doubled {len(self.doubled)}, damaged {len(self.damaged)}"
        )


class Endurance:
    """A server that is killed and started again, a front, and one process for each SDK."""

    def __init__(self, folder: Path, interpreters: dict[str, str], front: RecordingFront) -> None:
        self._data_dir = folder / "data"
        self._folder = folder
        self._front = front
        self._server = start(self._data_dir)
        assert self._server.key is not None
        front.target = self._server.url
        self._stop = folder / "stop"
        self.report = Report()
        self._loggers = {
            name: self._log(name, interpreter, self._server.key) for name, interpreter in interpreters.items()
        }

    def _log(self, name: str, interpreter: str, key: str) -> subprocess.Popen[str]:
        home = self._folder / name
        home.mkdir()
        environment = {
            **ENVIRONMENT,
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "WANDB_DIR": str(home),
            "WANDB_BASE_URL": self._front.url,
            "WANDB_API_KEY": key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true",
            "PYTHONWARNINGS": "ignore",
        }
        return subprocess.Popen(
            [interpreter, str(SCRIPT), name, str(self._stop)],
            env=environment,
            cwd=home,
            stdout=subprocess.PIPE,
            text=True,
        )

    def round(self, moment: Moment) -> None:
        """Kill the server at this moment, once each run had rows acknowledged, and start it again."""
        before = self._counts()
        self._wait(lambda: all(count > before.get(name, 0) for name, count in self._counts().items()))
        is_dead = threading.Event()

        def kill() -> None:
            self._server.process.send_signal(signal.SIGKILL)
            self._server.process.communicate()
            is_dead.set()

        self._front.meet(moment, kill)
        self._wait(is_dead.is_set)
        self._server = start(self._data_dir)
        self._check()
        self._front.target = self._server.url
        self.report.rounds += 1
        self.report.posts = self._front.posts

    def finish(self) -> None:
        """Let both SDKs finish, and compare every row."""
        self._stop.touch()
        for name, logger in self._loggers.items():
            said, _ = logger.communicate(timeout=PATIENCE)
            assert logger.returncode == 0, f"the SDK of {name} failed: {said}"
            self.report.logged[name] = int(said.split()[-1])
        self._server.process.send_signal(signal.SIGINT)
        self._server.process.communicate(timeout=PATIENCE)
        self._check()
        self.report.posts = self._front.posts
        self.report.acknowledged = self._counts()

    def close(self) -> None:
        """End every process that is left."""
        for process in (*self._loggers.values(), self._server.process):
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _counts(self) -> dict[str, int]:
        return {name: len(self._front.acknowledged[name]) for name in self._loggers}

    def _wait(self, has_happened: Callable[[], bool]) -> None:
        until(lambda: has_happened() or any(each.poll() is not None for each in self._loggers.values()))
        assert has_happened(), "an SDK ended early"

    def _check(self) -> None:
        """Compare what is stored with what was acknowledged."""
        with closing(sqlite3.connect(self._data_dir / "runql.sqlite3")) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            self.report.damaged += [each for each in found if each != "ok"]
            for name in self._loggers:
                query = """SELECT line, step, text FROM history JOIN runs ON runs.id = history.run_id
                           WHERE runs.name = ? ORDER BY line"""
                rows = connection.execute(query, (name,)).fetchall()
                stored = {line: text for line, _step, text in rows}
                wanted = dict(self._front.acknowledged[name])
                self.report.lost += [
                    f"{name}: line {at}" for at, text in wanted.items() if stored.get(at) != text
                ]
                steps = [step for _line, step, _text in rows]
                self.report.doubled += [
                    f"{name}: step {step}" for step, count in Counter(steps).items() if count > 1
                ]
                if steps != list(range(len(steps))):
                    self.report.doubled.append(f"{name}: steps are not 0, 1, 2, …")
                self.report.stored[name] = len(rows)


def run(
    rounds: int,
    folder: Path,
    interpreters: dict[str, str],
    after_round: Callable[[Report], None] = lambda _report: None,
) -> Report:
    """Kill a server so often, and return what was found; `after_round` gets what was found so far."""
    with RecordingFront() as front:
        endurance = Endurance(folder, interpreters, front)
        began = time.monotonic()
        try:
            for number in range(rounds):
                endurance.round(MOMENTS[number % len(MOMENTS)])
                endurance.report.seconds = time.monotonic() - began
                after_round(endurance.report)
            endurance.finish()
        finally:
            endurance.close()
    return endurance.report


def interpreters() -> dict[str, str]:
    """Return the interpreters of both SDKs, by the id of the run that each logs."""
    names = {"old": "RUNQL_WANDB_OLD", "new": "RUNQL_WANDB_NEW"}
    return {name: os.environ[variable] for name, variable in names.items() if os.environ.get(variable)}


def main() -> None:
    """Run the rounds, and fail if a row was lost or doubled."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    sdks = interpreters()
    if not sdks:
        raise SystemExit("RUNQL_WANDB_OLD and RUNQL_WANDB_NEW name no interpreters: use `make kill`")
    with tempfile.TemporaryDirectory(prefix="runql-endurance-") as folder:
        report = run(rounds, Path(folder), sdks, lambda found: print(found, flush=True))
    print(report)
    if report.lost or report.doubled or report.damaged or report.stored != report.logged:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
