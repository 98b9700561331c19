"""A project of many long runs behind the benchmark's replay server."""

from __future__ import annotations

import random
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.bench.replay_process import ReplayProxy
from tests.bench.seeding import rows

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

KEY: Final = "k00"


@dataclass(frozen=True)
class ScaleFront:
    """A server of one or more projects; nothing is exported, so all rows come by GraphQL."""

    server: RunningServer
    proxy: ReplayProxy

    def seed(self, project: str, runs: int, rows_a_run: int) -> None:
        """Add runs of so many rows of one key."""
        chance = random.Random(5)
        self.server.seed(
            project, [SeedRun(name=f"r{run}", history=rows(chance, rows_a_run, [KEY])) for run in range(runs)]
        )


@contextmanager
def scale_front() -> Generator[ScaleFront]:
    """Start the server and the replay server before it."""
    with (
        RunningServer(export_policy=ExportPolicy(above_rows=sys.maxsize)) as server,
        ReplayProxy(server.url) as proxy,
    ):
        yield ScaleFront(server, proxy)
