"""Controls the process of `replay_server`: starts it, sets its latency, and reads its counts."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.bench.paths import ROOT, environment

PROBES = 2_000


@dataclass(frozen=True)
class Traffic:
    """Counts since the last control request.

    Attributes:
        requests: number of requests.
        misses: number of requests that went to the embedded server.
        refused: number of requests above the limit.
        sent: bytes of the responses.
    """

    requests: int
    misses: int
    refused: int = 0
    sent: int = field(default=0, compare=False)


class ReplayProxy:
    """A replay server in front of a server; it runs inside the ``with`` block."""

    def __init__(self, upstream: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.replay_server", upstream],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._process.stdout is None:
            raise TypeError("a pipe was asked for")
        self.url: str = self._process.stdout.readline().strip()
        self._host = urlsplit(self.url).netloc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def taken(self, *, latency: float, allowed: int = 0, window: float = 1.0) -> Traffic:
        """Return and reset the counts; from now on other rules apply.

        Args:
            latency: seconds that each response waits.
            allowed: requests of one key in a window; 0 for no limit.
            window: seconds.
        """
        connection = http.client.HTTPConnection(self._host)
        connection.request("GET", f"/-bench/?latency={latency}&allowed={allowed}&window={window}")
        traffic = json.loads(connection.getresponse().read())
        connection.close()
        return Traffic(**traffic)

    def capacity(self, path: str, *, threads: int = 4) -> float:
        """Measure responses per second without latency."""

        def probe() -> None:
            connection = http.client.HTTPConnection(self._host)
            for _ in range(PROBES):
                connection.request("GET", path)
                connection.getresponse().read()
            connection.close()

        _at_once(probe, 1)
        started = time.perf_counter()
        _at_once(probe, threads)
        return threads * PROBES / (time.perf_counter() - started)


def _at_once(work: Callable[[], None], threads: int) -> None:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
