"""`next` and `anext` on lists and scans: they go on where the last one stopped, and an end is only ever the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import anyio
import httpx
import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, listed, taken
from tests.patience import PATIENCE

from runql import Api, AsyncApi, RunqlError, ServerFailureError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 25
RUNS = 7


@pytest.fixture
def path(server: RunningServer, project: str) -> str:
    history = [{"_step": step, "loss": step / 4} for step in range(ROWS)]
    server.seed(project, [SeedRun(name=f"r{number}", history=history) for number in range(RUNS)])
    server.clear()
    return f"{server.entity}/{project}"


@pytest.fixture
def run(server: RunningServer, path: str, face: Face) -> AnyRun:
    found = face.take(face.api(server.url, server.api_key).run(f"{path}/r0"))
    server.clear()
    return found


@pytest.fixture
def runs(server: RunningServer, path: str, face: Face) -> Untyped:
    found: Untyped = face.take(face.api(server.url, server.api_key).runs(path, per_page=3))
    server.clear()
    return found


END = {"sync": StopIteration, "async": StopAsyncIteration}


def following(face: Face, many: Untyped) -> Untyped:
    """The next item, on either face."""
    return next(many) if face.name == "sync" else taken(face, anext(many))


def test_next_goes_on_where_the_last_one_stopped(run: Untyped, server: RunningServer, face: Face) -> None:
    scan = run.scan_history(page_size=10)
    assert server.requests == []
    steps = [following(face, scan)["_step"] for _ in range(3)]
    assert len(server.requests) == 1
    steps += [following(face, scan)["_step"] for _ in range(ROWS - 3)]
    assert steps == list(range(ROWS))
    for _ in range(2):
        with pytest.raises(END[face.name]):
            following(face, scan)


def test_a_loop_starts_with_the_first_row_and_leaves_next_alone(run: Untyped, face: Face) -> None:
    scan = run.scan_history(page_size=10)
    assert following(face, scan)["_step"] == 0
    assert [row["_step"] for row in listed(face, scan)] == list(range(ROWS))
    assert following(face, scan)["_step"] == 1


def test_a_default_stands_in_for_the_end(run: Untyped, face: Face) -> None:
    scan = run.scan_history(["never"])
    if face.name == "sync":
        assert next(scan, None) is None
    else:
        assert taken(face, _with_default(scan)) is None


async def _with_default(scan: Untyped) -> Untyped:
    return await anext(scan, None)


def test_frames_of_many_runs_come_one_by_one(runs: Untyped, face: Face) -> None:
    scan = runs.scan_histories(["loss"], format="default")
    first = following(face, scan)
    assert first[0]["run_id"] == "r0"
    frames = listed(face, scan)
    assert frames == [first, *(following(face, scan) for _ in frames[1:])]
    with pytest.raises(END[face.name]):
        following(face, scan)
    assert sum(map(len, frames)) == ROWS * RUNS


def test_a_list_goes_on_too_a_request_a_page(runs: Untyped, server: RunningServer, face: Face) -> None:
    assert following(face, runs).id == "r0"
    assert taken(face, runs.next()).id == "r1"
    assert len(server.requests) == 1
    assert [run.id for run in listed(face, runs)] == [f"r{number}" for number in range(RUNS)]
    assert [following(face, runs).id for _ in range(RUNS - 2)] == [f"r{number}" for number in range(2, RUNS)]
    for _ in range(2):
        with pytest.raises(END[face.name]):
            following(face, runs)
        with pytest.raises(END[face.name]):
            taken(face, runs.next())
    assert len(server.requests) == 3


def test_every_list_has_it(run: Untyped, server: RunningServer, path: str, face: Face) -> None:
    api: Untyped = face.api(server.url, server.api_key)
    assert following(face, taken(face, api.projects())).name
    for many in (run.files(), run.logged_artifacts(), run.console_logs()):
        with pytest.raises(END[face.name]):
            following(face, many)
        assert many.convert_objects() == []


def failing_once(number: int) -> InterceptingTransport:
    """A way to the server on which the request of this number fails, and no other."""
    requests = count(1)

    def fault(sent: Sent) -> Fault:
        if sent.answer is None and next(requests) == number:
            return httpx.Response(500)
        return None

    return InterceptingTransport(fault)


def test_a_scan_that_failed_goes_on_failing(server: RunningServer, path: str, face: Face) -> None:
    client = face.client(server.url, server.api_key, transport=failing_once(3))
    run: Untyped = face.run(client, server.entity, path.partition("/")[2], "r0")
    scan = run.scan_history(page_size=10)
    steps = [following(face, scan)["_step"] for _ in range(10)]
    assert steps == list(range(10))
    with pytest.raises(ServerFailureError):
        following(face, scan)
    # A generator that failed ends without a word the next time.
    for _ in range(2):
        with pytest.raises(RunqlError, match="an earlier next\\(\\) of this scan failed"):
            following(face, scan)
    assert len(listed(face, scan)) == ROWS


def test_a_list_that_failed_goes_on_with_the_item_that_failed(
    server: RunningServer, path: str, face: Face
) -> None:
    client = face.client(server.url, server.api_key, transport=failing_once(2))
    runs: Untyped = face.runs(client, server.entity, path.partition("/")[2], per_page=3)
    assert [following(face, runs).id for _ in range(3)] == ["r0", "r1", "r2"]
    with pytest.raises(ServerFailureError):
        following(face, runs)
    assert [following(face, runs).id for _ in range(RUNS - 3)] == ["r3", "r4", "r5", "r6"]


def test_threads_share_one_reading_and_get_each_row_once(server: RunningServer, path: str) -> None:
    with Api(base_url=server.url, api_key=server.api_key) as api, ThreadPoolExecutor(4) as pool:
        runs = api.runs(path, per_page=2)
        scan = runs[0].scan_history(page_size=5)
        together = threading.Barrier(4)

        def drain(items: Iterator[Untyped]) -> list[Untyped]:
            together.wait(PATIENCE)
            taken_here: list[Untyped] = []
            while (item := next(items, None)) is not None:
                taken_here.append(item)
            return taken_here

        steps = [row["_step"] for part in pool.map(drain, [scan] * 4) for row in part]
        assert sorted(steps) == list(range(ROWS))
        ids = [run.id for part in pool.map(drain, [runs] * 4) for run in part]
        assert sorted(ids) == [f"r{number}" for number in range(RUNS)]


def test_tasks_share_one_reading_and_get_each_row_once(server: RunningServer, path: str) -> None:
    async def main() -> None:
        async with AsyncApi(base_url=server.url, api_key=server.api_key) as api:
            runs = await api.runs(path, per_page=2)
            scan = (await runs[0]).scan_history(page_size=5)
            steps: list[Untyped] = []
            ids: list[str] = []

            async def drain() -> None:
                while (row := await anext(scan, None)) is not None:
                    steps.append(row["_step"])
                while (run := await anext(runs, None)) is not None:
                    ids.append(run.id)

            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(drain)
            assert sorted(steps) == list(range(ROWS))
            assert sorted(ids) == [f"r{number}" for number in range(RUNS)]

    anyio.run(main)


def test_a_wait_that_was_cancelled_does_not_look_like_the_end(server: RunningServer, path: str) -> None:
    async def main() -> None:
        scope = anyio.CancelScope()

        def cancelled(sent: Sent) -> Fault:
            if sent.operation == "ScanHistory":
                scope.cancel()
            return None

        async with AsyncApi(
            base_url=server.url, api_key=server.api_key, transport=InterceptingTransport(cancelled)
        ) as api:
            scan = (await api.run(f"{path}/r0")).scan_history(page_size=5)
            with scope:
                await anext(scan)
            assert scope.cancelled_caught
            with pytest.raises(RunqlError, match="an earlier next"):
                await anext(scan)

    anyio.run(main)
