"""Reads through a proxy that silently reduces ``samples``, and counts the requests.

``python -m tests.faults.capped_samples`` prints the table.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pyarrow.parquet as pq
from tests.contract.both_clients import PassingTransport, Row

from runql import Api, Run, Runs
from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

LENGTHS = (200, 5_000, 12_000, 30_000)
PROJECT = "capped"
NO_EXPORTS = ExportPolicy(10**9)
KEYS = {"whole": None, "keys": ["loss"], "any": ["loss", "acc"]}


@dataclass(frozen=True)
class Limit:
    """How a proxy changes ``samples``."""

    name: str
    keep: Callable[[int], int]


def cap(most: int) -> Limit:
    """Limit samples to ``most``."""
    return Limit(f"cap {most:,}", lambda samples: min(samples, most))


NINETY_FIVE = Limit("95 %", lambda samples: max(1, samples * 95 // 100))
LIMITS = (
    Limit("none", lambda samples: samples),
    cap(500),
    cap(1_000),
    cap(5_000),
    cap(10_000),
    NINETY_FIVE,
)


class Proxy(PassingTransport):
    """Passes requests on with fewer samples; ``sent`` counts the operations."""

    def __init__(self, limit: Limit) -> None:
        super().__init__()
        self.sent = 0
        self._limit = limit

    def before(self, request: httpx.Request) -> httpx.Request:
        if request.method != "POST":
            return request
        self.sent += 1
        body: dict[str, Any] = json.loads(request.content)  # Any: JSON, looked at below
        variables = body["variables"]
        if "samples" in variables:
            variables["samples"] = self._limit.keep(variables["samples"])
        variables["specs"] = [self._spec(spec) for spec in variables.get("specs", [])]
        headers = httpx.Headers(request.headers)
        del headers["content-length"]
        return httpx.Request(
            request.method,
            request.url,
            headers=headers,
            content=json.dumps(body),
            extensions=request.extensions,
        )

    def _spec(self, text: str) -> str:
        spec: dict[str, Any] = json.loads(text)  # Any: as above
        spec["samples"] = self._limit.keep(spec["samples"])
        return json.dumps(spec)


def history(rows: int, gap: int = 1) -> Iterator[Row]:
    """Yield rows at every ``gap``-th step; one in ten has another metric."""
    for place in range(rows):
        row: Row = {"_step": gap * place, "loss": place / 2}
        yield {**row, "acc": place} if place % 10 == 0 else row


def seed(server: RunningServer, lengths: Sequence[int], gap: int = 1) -> None:
    """Seed a run of each length."""
    runs = [SeedRun(name=f"r{place}", history=history(rows, gap)) for place, rows in enumerate(lengths)]
    server.seed(PROJECT, runs)


def _iterated(run: Run, keys: list[str] | None) -> int:
    steps = [row["_step"] for row in run.scan_history(keys, match="any")]
    return len(set(map(str, steps))) if steps == sorted(steps, key=lambda step: int(str(step))) else -1


def _framed(run: Run, keys: list[str] | None) -> int:
    return _rows(run.scan_history(keys, match="any").to_polars())


def _collected(runs: Runs, keys: list[str] | None) -> int:
    return _rows(runs.scan_histories(keys).collect())


def _in_parts(runs: Runs, keys: list[str] | None) -> int:
    return _rows(pl.concat([*runs.scan_histories(keys)], how="diagonal_relaxed"))


def _sunk(runs: Runs, keys: list[str] | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.parquet"
        runs.scan_histories(keys).sink_parquet(path)
        return _rows(pl.DataFrame(pq.read_table(path)))  # pyright: ignore[reportUnknownMemberType] — the stubs leave out a type


def _rows(frame: pl.DataFrame) -> int:
    """Count the rows, if each exists once and in order; otherwise return -1."""
    names = [name for name in ("run_id", "_step") if name in frame.columns]
    is_good = frame.select(names).is_unique().all() and frame.select(names).equals(
        frame.select(names).sort(names)
    )
    return frame.height if is_good else -1


ALONE = {"scan_history, iterated": _iterated, "scan_history, frame": _framed}
TOGETHER = {
    "scan_histories, collect": _collected,
    "scan_histories, iterated": _in_parts,
    "scan_histories, sink_parquet": _sunk,
}


@dataclass(frozen=True)
class Reading:
    """One read through a proxy.

    Attributes:
        limit: limit of the proxy.
        name: how the rows were read.
        expected: number of rows.
        found: number of read rows; -1 if they were not in order, each once.
        requests: number of requests.
    """

    limit: str
    name: str
    expected: int
    found: int
    requests: int


def readings(
    server: RunningServer, lengths: Sequence[int], limits: Sequence[Limit] = LIMITS
) -> Iterator[Reading]:
    """Read all rows in every way, through a proxy of each kind, each with a new client."""
    longest = f"r{max(range(len(lengths)), key=lengths.__getitem__)}"
    for limit in limits:
        for shape, keys in KEYS.items():
            for name, alone in ALONE.items():
                with _api(server, limit) as (api, proxy):
                    run = api.run(f"{server.entity}/{PROJECT}/{longest}")
                    before = proxy.sent
                    found = alone(run, keys)
                    yield Reading(limit.name, f"{name}, {shape}", max(lengths), found, proxy.sent - before)
            for name, together in TOGETHER.items():
                with _api(server, limit) as (api, proxy):
                    runs = api.runs(f"{server.entity}/{PROJECT}", order="+created_at")
                    found = together(runs, keys)
                    yield Reading(limit.name, f"{name}, {shape}", sum(lengths), found, proxy.sent)


class _api:  # noqa: N801 - a context manager, used as a function
    def __init__(self, server: RunningServer, limit: Limit) -> None:
        self._proxy = Proxy(limit)
        self._api = Api(api_key=server.api_key, base_url=server.url, transport=self._proxy)

    def __enter__(self) -> tuple[Api, Proxy]:
        return self._api, self._proxy

    def __exit__(self, *_: object) -> None:
        self._api.close()


def main() -> None:
    """Print a line for each read, with a column of requests for each proxy."""
    names = [limit.name for limit in LIMITS]
    lines: dict[str, list[str]] = {}
    with RunningServer(export_policy=NO_EXPORTS) as server:
        seed(server, LENGTHS)
        for each in readings(server, LENGTHS):
            mark = "" if each.found == each.expected else f" ({each.found} of {each.expected} ROWS)"
            lines.setdefault(each.name, []).append(f"{each.requests}{mark}")
    print(f"requests for {sum(LENGTHS):,} rows of {len(LENGTHS)} runs")
    print("| read | " + " | ".join(names) + " |")
    print("|---|" + "---:|" * len(names))
    for name, cells in lines.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
