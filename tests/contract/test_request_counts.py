"""How many requests arrive at the server for what is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.contract.both_clients import Face, Row
from tests.contract.untyped import Untyped, taken

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

CROWD = 1000
WINDOW = 100
LONG = 60_000


@pytest.fixture(scope="module")
def crowd() -> Iterator[RunningServer]:
    """A thousand runs with a few rows each."""
    with RunningServer() as server:
        rows = [{"loss": 1.0 / (step + 1)} for step in range(3)]
        server.seed("crowd", (SeedRun(config={"n": n}, summary={"n": n}, history=rows) for n in range(CROWD)))
        yield server


@pytest.mark.parametrize("lazy", [False, True], ids=["full", "light"])
def test_a_thousand_runs_at_fifty_a_page_are_twenty_requests(
    lazy: bool, crowd: RunningServer, face: Face
) -> None:
    api = face.api(crowd.url, crowd.api_key)
    crowd.clear()
    runs = face.take(api.runs(f"{crowd.entity}/crowd", lazy=lazy))
    assert len(face.items(runs)) == face.take(runs.length) == CROWD
    assert [request.operation for request in crowd.requests] == ["ListRuns" if lazy else "ListFullRuns"] * 20


def test_histories_of_two_hundred_runs_are_four_requests(crowd: RunningServer, face: Face) -> None:
    api = face.api(crowd.url, crowd.api_key)
    crowd.clear()
    runs = face.take(api.runs(f"{crowd.entity}/crowd", {"config.n": {"$lt": 200}}))
    rows = face.take(runs.histories(10, ["loss"]))
    assert len({str(row["run_id"]) for row in rows}) == 200
    assert len(rows) == 600
    assert [request.operation for request in crowd.requests] == ["ListHistories"] * 4


def test_what_the_client_counts_is_what_the_server_received(crowd: RunningServer, face: Face) -> None:
    api = face.api(crowd.url, crowd.api_key)
    crowd.clear()
    face.items(face.take(api.runs(f"{crowd.entity}/crowd", per_page=300)))
    assert api.traffic.requests == len(crowd.requests) == 4
    assert api.traffic.bytes_sent == sum(request.body_size for request in crowd.requests)


@dataclass(frozen=True)
class Shape:
    """A run's steps and what is scanned of them."""

    steps: tuple[int, ...]
    state: str = "finished"
    keys: tuple[str, ...] | None = None
    any_key: bool = False
    min_step: int | None = None
    max_step: int | None = None

    def windows(self) -> int:
        """Windows of `WINDOW` steps between the first and the end of what is asked for; looking takes one at least."""
        end = self.steps[-1] + 1 if self.steps else 0
        end = end if self.max_step is None else min(end, self.max_step)
        return max(1, math.ceil((end - (self.min_step or 0)) / WINDOW))


DENSE = tuple(range(950))
SPARSE = tuple(range(0, 2000, 37))
GAPPED = (*range(50), *range(1500, 1600))
SHAPES = {
    "empty": Shape(()),
    "one row": Shape((0,)),
    "one late row": Shape((777,)),
    "one window": Shape(DENSE[:WINDOW]),
    "one window and one": Shape(DENSE[: WINDOW + 1]),
    "dense": Shape(DENSE),
    "dense, running": Shape(DENSE, "running"),
    "dense, whole windows, running": Shape(tuple(range(900)), "running"),
    "dense, crashed": Shape(DENSE, "crashed"),
    "sparse": Shape(SPARSE),
    "sparse, running": Shape(SPARSE, "running"),
    "gapped": Shape(GAPPED),
    "gapped, running": Shape(GAPPED, "running"),
    "keys": Shape(DENSE, keys=("loss",)),
    "rare keys": Shape(DENSE, keys=("loss", "rare")),
    "rare keys, running": Shape(DENSE, "running", keys=("loss", "rare")),
    "any": Shape(DENSE, keys=("rare", "loss"), any_key=True),
    "any, sparse, running": Shape(SPARSE, "running", keys=("rare", "loss"), any_key=True),
    "never logged": Shape(DENSE, keys=("never",)),
    "from": Shape(DENSE, min_step=333),
    "from, running": Shape(DENSE, "running", min_step=333),
    "to": Shape(DENSE, max_step=444),
    "to beyond": Shape(DENSE, max_step=5000),
    "from beyond": Shape(DENSE, min_step=5000),
    "between": Shape(DENSE, min_step=99, max_step=201),
    "between, keys": Shape(DENSE, keys=("rare",), min_step=99, max_step=501),
}


@pytest.fixture(scope="module")
def shapes() -> Iterator[RunningServer]:
    with RunningServer() as server:
        runs = (
            SeedRun(
                name=name.replace(" ", "-"), state=shape.state, history=[row(step) for step in shape.steps]
            )
            for name, shape in SHAPES.items()
        )
        server.seed("shapes", runs)
        yield server


def row(step: int) -> Row:
    values: Row = {"_step": step, "loss": step / 2}
    if step % 50 == 0:
        values["rare"] = step
    return values


def expected(shape: Shape) -> list[Row]:
    """The rows that a scan must give."""
    rows = [row(step) for step in shape.steps if (shape.min_step or 0) <= step]
    rows = [each for each in rows if shape.max_step is None or int(str(each["_step"])) < shape.max_step]
    if shape.keys is None:
        return rows
    wanted = any if shape.any_key else all
    return [
        {key: value for key, value in each.items() if key == "_step" or key in shape.keys}
        for each in rows
        if wanted(key in each for key in shape.keys)
    ]


@pytest.mark.parametrize("lazy", [False, True], ids=["full", "light"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_scan_sends_no_more_than_its_windows_plus_one(
    name: str, lazy: bool, shapes: RunningServer, face: Face
) -> None:
    shape = SHAPES[name]
    api = face.api(shapes.url, shapes.api_key)
    run = face.take(
        face.take(api.runs(f"{shapes.entity}/shapes", {"name": name.replace(" ", "-")}, lazy=lazy))[0]
    )
    shapes.clear()
    scan = run.scan_history(
        shape.keys,
        WINDOW,
        min_step=shape.min_step,
        max_step=shape.max_step,
        match="any" if shape.any_key else "all",
    )
    assert face.items(scan) == expected(shape)
    assert len(shapes.requests) <= shape.windows() + 1, [request.operation for request in shapes.requests]


@pytest.fixture(scope="module")
def long_run() -> Iterator[RunningServer]:
    """A run of 60 windows of the default size, that is in no export."""
    with RunningServer(export_policy=ExportPolicy(above_rows=LONG)) as server:
        server.seed("p", [SeedRun(name="long", history=({"loss": 1 / (step + 1)} for step in range(LONG)))])
        yield server


@pytest.mark.parametrize("keys", [None, ["loss"]], ids=["whole", "keys"])
def test_a_frame_with_defaults_chooses_large_windows(
    keys: list[str] | None, long_run: RunningServer, face: Face
) -> None:
    api = face.api(long_run.url, long_run.api_key)
    run = face.take(api.run(f"{long_run.entity}/p/long"))
    long_run.clear()
    assert len(face.take(run.scan_history(keys).to_polars())) == LONG
    # The list of exports with some rows, and as many windows as run at once.
    assert [request.operation for request in long_run.requests] == ["ScanHistory"] * 9


def test_a_page_size_that_is_named_stays(long_run: RunningServer, face: Face) -> None:
    api = face.api(long_run.url, long_run.api_key)
    run = face.take(api.run(f"{long_run.entity}/p/long"))
    long_run.clear()
    assert len(face.take(run.scan_history(page_size=1000).to_polars())) == LONG
    assert LONG // 1000 < len(long_run.requests) <= LONG // 1000 + 2


def test_iteration_keeps_its_small_windows(long_run: RunningServer, face: Face) -> None:
    api = face.api(long_run.url, long_run.api_key)
    scan: Untyped = face.take(api.run(f"{long_run.entity}/p/long")).scan_history()
    long_run.clear()
    first = next(scan) if face.name == "sync" else taken(face, anext(scan))
    assert first["_step"] == 0
    (request,) = long_run.requests
    assert request.operation == "ScanHistory"
    for place in range(1000):
        row = next(scan) if face.name == "sync" else taken(face, anext(scan))
        assert row["_step"] == place + 1
    # Two windows follow the first.
    assert len(long_run.requests) == 3
